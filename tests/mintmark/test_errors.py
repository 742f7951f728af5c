"""The one exception that callers branch on."""

import pytest

from mintmark.errors import BadInput


def test_bad_input_is_a_value_error_that_can_be_told_from_others():
    with pytest.raises(ValueError, match="row 3"):
        raise BadInput("row 3: expected a number, got 'x'")
    assert not isinstance(ValueError("a bug"), BadInput)
