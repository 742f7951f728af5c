"""The benchmark's files: a small folder in its form, and the real one where it is at hand."""

import json
import os
from pathlib import Path

import pytest

from mintmark.errors import BadInput
from mintmark.series.nab_corpus import read_corpus

STAMPS = [f"2014-04-01 00:{minute:02d}:00" for minute in range(0, 60, 5)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "labels").mkdir()
    (tmp_path / "data" / "some").mkdir(parents=True)
    lines = "".join(f"{stamp},{row}.5\n" for row, stamp in enumerate(STAMPS))
    for name in ("a.csv", "b.csv"):
        (tmp_path / "data" / "some" / name).write_text(f"timestamp,value\n{lines}", encoding="utf-8")
    write_windows(tmp_path, {"some/b.csv": [], "some/a.csv": [[f"{STAMPS[3]}.000000", f"{STAMPS[5]}.000000"]]})
    return tmp_path


def write_windows(folder: Path, windows: dict) -> None:
    (folder / "labels" / "combined_windows.json").write_text(json.dumps(windows), encoding="utf-8")


def test_series_come_in_the_order_of_names_with_their_windows_in_rows(folder: Path):
    first, second = read_corpus(folder)
    assert (first.name, second.name) == ("some/a.csv", "some/b.csv")
    assert (first.labels.windows, second.labels.windows) == (((3, 5),), ())
    assert first.values.tolist() == [row + 0.5 for row in range(12)]


def test_a_window_that_ends_at_no_timestamp_is_refused(folder: Path):
    write_windows(folder, {"some/a.csv": [[STAMPS[3], "2014-04-01 00:26:00"]]})
    with pytest.raises(BadInput, match="two ends among the timestamps"):
        read_corpus(folder)


@pytest.mark.parametrize(
    "text",
    [
        "time,value\n2014-04-01,1\n",
        "timestamp,value\n2014-04-01,\n",
        "timestamp,value\n2014-04-01,high\n",
        "timestamp,value\nsoon,1\n",
    ],
)
def test_a_broken_series_is_refused(folder: Path, text: str):
    (folder / "data" / "some" / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=r"a\.csv"):
        read_corpus(folder)


@pytest.mark.parametrize("name", ["labels/combined_windows.json", "data/some/b.csv"])
def test_a_missing_file_is_named(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(BadInput, match="no such file") as refusal:
        read_corpus(folder)
    assert name in str(refusal.value)


@pytest.mark.data
def test_the_benchmark_has_58_series_and_116_windows():
    if "MINTMARK_DATA" not in os.environ:
        pytest.skip("needs the folder of real data files that MINTMARK_DATA names")
    corpus = read_corpus(Path(os.environ["MINTMARK_DATA"]) / "nab")
    assert len(corpus) == 58
    assert sum(len(series.labels.windows) for series in corpus) == 116
    assert sum(len(series.values) for series in corpus) == 365_558  # as its authors count
