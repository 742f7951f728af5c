"""A skip counts as a failure where every tool is expected, and only there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SKIPS = """
import pytest
def test_wants_a_tool(): pytest.skip("no such tool here")
@pytest.mark.data
def test_wants_data(): pytest.skip("no data here")
"""


@pytest.mark.parametrize(
    ("expected", "outcome"), [({}, "2 skipped"), ({"MINTMARK_EXPECT_TOOLS": "1"}, "1 failed, 1 skipped")]
)
def test_a_skip_fails_where_tools_are_expected(tmp_path: Path, expected: dict[str, str], outcome: str):
    (tmp_path / "test_skips.py").write_text(SKIPS)
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = data: needs data\n")
    environment = {name: value for name, value in os.environ.items() if name != "MINTMARK_EXPECT_TOOLS"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)} | expected,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in done.stdout, done.stdout + done.stderr
