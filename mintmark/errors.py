"""The one exception that callers branch on.

BadInput    the user's data or parameter is at fault: shown as one line, without a traceback
"""


class BadInput(ValueError):
    """The user's data or parameter is at fault.

    The message is one line that names the file, row or parameter, what was found, and what was expected.
    """
