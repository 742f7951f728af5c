"""The command: two folders in, heat maps and scores out, all at once or not at all; its p-values are those by hand."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mintmark.anomaly.patches import Patching
from mintmark.errors import BadInput
from tasks.heatmaps import Kind, heatmaps

ROOT = Path(__file__).parents[2]
PATCHING = Patching(side=8, stride=4)


def surface(rng: np.random.Generator, *, fault: bool = False, colour: bool = False) -> np.ndarray:
    height, width = rng.integers(24, 40, 2)
    rows, columns = np.mgrid[:height, :width]
    grey = 120 + 60 * np.sin(rows / 2 + rng.random() * 6) + 30 * np.sin(columns / 3 + rng.random() * 6)
    grey = (grey + rng.normal(0, 4, (height, width))).clip(0, 255).astype(np.uint8)
    if fault:
        top, left = rng.integers(0, height - 6), rng.integers(0, width - 6)
        grey[top : top + 6, left : left + 6] = 255 - grey[top : top + 6, left : left + 6]
    return np.stack([grey, grey // 2, grey], axis=2) if colour else grey


def fill(folder: Path, names: dict[str, bool], *, seed: int, colour: bool = False) -> Path:
    rng = np.random.default_rng(seed)
    for name, fault in names.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(surface(rng, fault=fault, colour=colour)).save(folder / name)
    return folder


def good_in(folder: Path, *, num: int = 40, colour: bool = False) -> Path:
    return fill(folder / "good", {f"{row}.png": False for row in range(num)}, seed=0, colour=colour)


MIXED = {"ok.png": False, "line/bad.png": True, "line/ok.png": False, "bad.bmp": True, "bad.png": True}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    return good_in(tmp_path), fill(tmp_path / "mixed", MIXED, seed=1), tmp_path / "out"


def ask(good: Path, mixed: Path, out: Path, *, kind: str = "pca", rate: float = 0.05) -> pd.DataFrame:
    return heatmaps(good, mixed, out, patching=PATCHING, kind=kind, rate=rate, seed=0)


def test_faulty_pictures_come_first_with_the_least_p_value(folders, capsys: pytest.CaptureFixture[str]):
    table = ask(*folders, kind="auto")
    bad = {name for name, fault in MIXED.items() if fault}
    assert set(table["picture"][:3]) == bad
    assert (table["p_value"][:3] == 1 / 21).all()  # none of 20 held-out pictures scores as high
    assert table["unusual"][:3].all()
    assert (np.diff(table["score"]) <= 0).all()
    assert (np.diff(table["p_value"]) >= 0).all()
    assert "by spots spoilt on purpose" in capsys.readouterr().out


def test_every_picture_has_its_heat_map_and_the_table_is_what_was_told(folders):
    good, mixed, out = folders
    out.mkdir()  # empty: as good as new
    table = ask(good, mixed, out)
    pd.testing.assert_frame_equal(pd.read_csv(out / "scores.csv"), table, rtol=1e-5)
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert written == {"scores.csv", *(f"{name}.heat.png" for name in MIXED)}
    for name in MIXED:
        drawn, given = np.array(Image.open(out / f"{name}.heat.png")), np.array(Image.open(mixed / name))
        assert (drawn[:, : given.shape[1]] == given[:, :, None]).all()
        assert drawn.shape == (given.shape[0], 2 * given.shape[1] + 4, 3)


def test_p_values_of_good_pictures_are_uniform(tmp_path: Path):
    """Of 60 fresh good pictures, each decile of p-values has its share."""
    mixed = fill(tmp_path / "mixed", {f"{row}.png": False for row in range(60)}, seed=2)
    table = ask(good_in(tmp_path, num=80), mixed, tmp_path / "out")
    assert table["p_value"].mean() == pytest.approx(0.5, abs=0.15)
    assert table["unusual"].mean() < 0.2


def test_too_few_held_out_pictures_say_so_and_still_serve(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    table = ask(good_in(tmp_path, num=10), fill(tmp_path / "mixed", MIXED, seed=1), tmp_path / "out")
    assert not table["unusual"].any()
    told = capsys.readouterr().out
    assert "of 5 held-out good pictures no p-value below 0.167 is known" in told
    assert "A rate of 0.05 takes 38 good pictures" in told


def test_pictures_in_colour_are_served(tmp_path: Path):
    mixed = fill(tmp_path / "mixed", MIXED, seed=1, colour=True)
    Image.fromarray(surface(np.random.default_rng(3))).save(mixed / "grey.png")
    table = ask(good_in(tmp_path, colour=True), mixed, tmp_path / "out")
    assert len(table) == 6
    assert table["picture"][0] == "grey.png"  # among coloured ones that is a fault


def refused(folders, match: str, **named) -> None:
    before = sorted(folders[2].parent.rglob("*"))
    with pytest.raises(BadInput, match=match):
        ask(*folders, **named)
    assert sorted(folders[2].parent.rglob("*")) == before


def test_what_cannot_be_served_is_named_and_nothing_is_written(folders):
    good, mixed, out = folders
    (mixed / "z.png").write_bytes(b"broken")
    refused(folders, r"mixed/z.png: expected an image")
    Image.fromarray(np.zeros((7, 30), np.uint8)).save(mixed / "z.png")
    refused(folders, r"mixed/z.png: expected at least 8 x 8 pixels, a patch, got 7 x 30; state a smaller --patch")
    Image.fromarray(np.tile(np.arange(3, dtype=np.uint8), (30, 30, 1))).save(mixed / "z.png")
    refused(folders, r"mixed/z.png: expected gray, got colour, while all good pictures are gray")
    (mixed / "z.png").unlink()
    refused(folders, "rate: expected above 0 and below 1, got 1", rate=1.0)
    refused((good, mixed, mixed / "out"), "expected a folder outside .*mixed, whose pictures are read")
    refused((mixed, mixed, out), "mixed: expected at least 8 good pictures, found 5")
    (good / "z.png").write_bytes(b"broken")
    refused(folders, r"good/z.png: expected an image")
    out.mkdir()
    (out / "mine.txt").write_text("precious")
    refused(folders, "out: expected a new or empty folder")


def test_a_failure_midway_leaves_nothing(folders, monkeypatch: pytest.MonkeyPatch):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("tasks.heatmaps.overlay", fail)
    with pytest.raises(OSError, match="disk full"):
        ask(*folders)
    assert not folders[2].exists()
    assert not (folders[2].parent / ".partial").exists()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tasks.heatmaps", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_runs_and_answers_bad_input_with_one_line(folders):
    good, mixed, out = (str(one) for one in folders)
    done = command(good, mixed, out, "--patch", "8", "--detector", "nearest")
    assert done.returncode == 0, done.stderr
    assert "3 of 5 pictures are unusual at a rate of 0.05" in done.stdout
    again = command(good, mixed, out, "--patch", "8")
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1].startswith("heatmaps: ")
    assert "Traceback" not in again.stderr


def test_the_kinds_of_the_command_are_the_librarys():
    from mintmark.anomaly.heatmaps import CHOICES, KINDS

    assert {one.value for one in Kind} == {"auto", *KINDS}
    assert set(CHOICES) <= set(KINDS)
