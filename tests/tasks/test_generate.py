"""The stage generate, from weights alone to any number of records."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mintmark.data.images import read_images
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from mintmark.gan.model import save_generator
from mintmark.gan.networks import Generator
from tasks.generate import Params, class_counts, run
from tasks.params import build

ROOT = Path(__file__).resolve().parents[2]
SECTION = {"seed": 3, "threads": 1, "device": "cpu", "rows": 25, "classes": None, "batch_size": 8}
CLASSES = ("ok", "scratch", "dent")


def params_of(**changes: Any) -> Params:
    return build(Params, SECTION | changes, name="generate")


def write_generator(root: Path, shape: tuple[int, int, int] = (8, 8, 1)) -> Path:
    torch.manual_seed(0)
    generator = Generator(shape=shape, num_classes=3, latent_size=4, width=2)
    save_generator(root / "train_gan" / "generator.safetensors", generator, classes=CLASSES, facts={})
    return root


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 12, 3), (8, 8, 2)])
def test_the_weights_alone_give_labelled_images_of_their_shape(tmp_path, shape):
    data_dir = write_generator(tmp_path, shape)
    run(params_of(), data_dir)
    images = read_images(data_dir / "generate" / "synthetic.parquet")
    assert (len(images), images.shape, images.classes) == (25, shape, CLASSES)
    assert np.bincount(images.codes).tolist() == [9, 8, 8]
    assert len(set(images.ids)) == 25
    assert read_report(data_dir / "generate")["synthetic_records"].value == 25
    assert {path.name for path in (data_dir / "generate").iterdir()} == {
        "synthetic.parquet",
        "report.json",
        "metrics.json",
    }


def test_a_class_mix_is_met_exactly_and_in_mixed_order(tmp_path):
    data_dir = write_generator(tmp_path)
    run(params_of(rows=40, classes={"dent": 3, "ok": 1}), data_dir)
    codes = read_images(data_dir / "generate" / "synthetic.parquet").codes
    assert np.bincount(codes, minlength=3).tolist() == [10, 0, 30]
    assert 0 < (codes[:20] == 0).sum() < 10
    assert read_report(data_dir / "generate").facts["classes"] == {"ok": 10, "scratch": 0, "dent": 30}


def test_records_are_written_a_batch_at_a_time(tmp_path):
    data_dir = write_generator(tmp_path)
    run(params_of(), data_dir)
    stored = pq.ParquetFile(data_dir / "generate" / "synthetic.parquet").metadata
    assert [stored.row_group(group).num_rows for group in range(stored.num_row_groups)] == [8, 8, 8, 1]


def test_images_are_what_the_generator_draws_for_their_class(tmp_path):
    """The last batch, drawn again by hand from the seed."""
    data_dir = write_generator(tmp_path)
    run(params_of(rows=8), data_dir)
    images = read_images(data_dir / "generate" / "synthetic.parquet")
    torch.manual_seed(0)
    generator = Generator(shape=(8, 8, 1), num_classes=3, latent_size=4, width=2)
    latents = torch.randn((8, 4), generator=torch.Generator().manual_seed(3))
    drawn = generator(latents, torch.from_numpy(images.codes)).detach().numpy()[:, 0]
    assert np.abs((drawn + 1) * 127.5 - images.images[..., 0]).max() <= 0.5 + 1e-3


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    data_dir = write_generator(tmp_path)
    path = data_dir / "generate" / "synthetic.parquet"
    run(params_of(), data_dir)
    first = path.read_bytes()
    run(params_of(), data_dir)
    assert path.read_bytes() == first
    run(params_of(seed=4), data_dir)
    assert path.read_bytes() != first


@given(rows=st.integers(1, 5000), shares=st.lists(st.floats(0, 100), min_size=1, max_size=8).filter(any))
def test_counts_sum_to_the_rows_and_are_within_one_of_their_share(rows, shares):
    names = tuple(f"c{place}" for place in range(len(shares)))
    counts = class_counts(rows, classes=names, shares=dict(zip(names, shares, strict=True)))
    exact = rows * np.array(shares) / sum(shares)
    assert counts.sum() == rows
    assert (np.abs(counts - exact) < 1).all()
    assert (counts[np.array(shares) == 0] == 0).all()


def test_a_class_that_the_generator_does_not_know_is_named():
    with pytest.raises(BadInput, match=r"classes: expected names among \['ok', 'dent'\], got \['crack'\]"):
        class_counts(5, classes=("ok", "dent"), shares={"crack": 1.0})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": 0}, "rows must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"classes": {"ok": -1.0}}, "classes must be shares of at least 0"),
        ({"classes": {"ok": 0.0}}, "not all 0"),
        ({"classes": {}}, "not all 0"),
    ],
)
def test_params_out_of_range_are_refused_by_name(changes, words):
    with pytest.raises(ValueError, match=words):
        params_of(**changes)


def test_missing_weights_are_refused_in_one_line_and_old_outs_stay(tmp_path):
    (tmp_path / "data" / "generate").mkdir(parents=True)
    (tmp_path / "data" / "generate" / "synthetic.parquet").write_text("old")
    lines = [f"  {key}: {'null' if value is None else value}" for key, value in SECTION.items()]
    (tmp_path / "params.yaml").write_text("\n".join(["generate:", *lines]))
    done = subprocess.run(
        [sys.executable, "-m", "tasks.generate"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "generator.safetensors: expected a safetensors file" in done.stderr
    assert (tmp_path / "data" / "generate" / "synthetic.parquet").read_text() == "old"
