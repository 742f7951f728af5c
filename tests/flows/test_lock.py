"""A file that one process at a time holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.lock import Held, only_holder


def test_a_second_holder_is_told_who_has_it(tmp_path: Path):
    path = tmp_path / "new" / "lock"
    with only_holder(path), pytest.raises(Held) as said, only_holder(path):
        pass
    assert said.value.holder == str(os.getpid())
    with only_holder(path):
        assert path.read_text() == str(os.getpid())


def test_it_is_free_when_its_holder_was_killed(tmp_path: Path):
    code = "import sys, time; from pathlib import Path; from flows.lock import only_holder\n"
    code += "with only_holder(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Held, match=str(holder.pid)), only_holder(path):
            pass
        holder.kill()
    with only_holder(path):
        pass
