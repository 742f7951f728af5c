"""Run a command, and end its whole process group when whoever started it goes away.

`python guard.py COMMAND...` expects to lead a process group and to hold a pipe on stdin whose other end lives in the
starter. The pipe closes when the starter dies, however it dies, so not even SIGKILL of a flow leaves an orphan.
Knows nothing of what it runs.
"""

import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """Run the command to its end and return its exit code, 128 + the signal's number where a signal ended it."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_group_with_starter, daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end_group_with_starter() -> None:
    os.read(sys.stdin.fileno(), 1)  # unbuffered: a buffer's lock would trip the interpreter's own end
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
