"""The files of a source, and the digest of their bytes."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from mintmark.data.source import digest, files_in
from mintmark.errors import BadInput


def test_the_digest_of_one_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert digest(iter([tmp_path / "x"]), root=tmp_path) == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_the_digest_of_several_files_is_that_of_sha256sum(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"one")
    (tmp_path / "b.png").write_bytes(b"two")
    names = ["a/1.png", "b.png"]
    lines = subprocess.run(["sha256sum", *names], cwd=tmp_path, capture_output=True, check=True).stdout
    assert digest((tmp_path / name for name in names), root=tmp_path) == hashlib.sha256(lines).hexdigest()


def test_the_digest_does_not_depend_on_where_the_folder_lies(tmp_path):
    found = []
    for name in "xy":
        (tmp_path / name).mkdir()
        files = [tmp_path / name / one for one in ("1", "2")]
        for file in files:
            file.write_text("same")
        found.append(digest(iter(files), root=tmp_path / name))
    assert found[0] == found[1]


def test_files_of_a_folder_are_sorted_and_chosen_by_suffix(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("b/1.CSV", "c.csv", "a.csv.gz", "d.txt"):
        (tmp_path / name).touch()
    names = [file.relative_to(tmp_path).as_posix() for file in files_in(tmp_path, suffixes=(".csv", ".csv.gz"))]
    assert names == ["a.csv.gz", "b/1.CSV", "c.csv"]
    assert files_in(tmp_path / "d.txt", suffixes=(".csv",)) == [tmp_path / "d.txt"]


def test_nothing_there_and_nothing_fitting_are_refused(tmp_path):
    with pytest.raises(BadInput, match="expected a file or a folder, found none"):
        files_in(tmp_path / "x", suffixes=(".csv",))
    with pytest.raises(BadInput, match=r"expected a folder with files that end in .csv or .tsv, found none"):
        files_in(tmp_path, suffixes=(".csv", ".tsv"))


def test_paths_outside_the_root_count_by_name(tmp_path):
    (tmp_path / "x").write_text("1")
    (tmp_path / "y").write_text("2")
    lines = "".join(f"{hashlib.sha256(one).hexdigest()}  {name}\n" for one, name in ((b"1", "x"), (b"2", "y")))
    files = iter([tmp_path / "x", tmp_path / "y"])
    assert digest(files, root=Path("/elsewhere")) == hashlib.sha256(lines.encode()).hexdigest()
