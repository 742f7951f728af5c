"""The picture of features: neighbours stay neighbours, and the file repeats to the byte."""

from pathlib import Path

import pytest
import torch

from mintmark.anomaly.embedding import Embedding, draw_absence, draw_embedding, embed


@pytest.fixture(scope="module")
def features() -> torch.Tensor:
    """Two far clouds of twenty, one after the other."""
    clouds = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    clouds[20:] += 30
    return clouds


def test_each_record_s_nearest_neighbour_is_of_its_own_cloud(features):
    places = torch.from_numpy(embed(features, perplexity=5.0, seed=0))
    assert places.shape == (40, 2)
    distances = torch.cdist(places, places).fill_diagonal_(torch.inf)
    assert ((distances.argmin(dim=1) >= 20) == (torch.arange(40) >= 20)).all()


def test_the_same_seed_gives_the_same_file_and_a_perplexity_beyond_the_records_is_lowered(tmp_path: Path, features):
    for name in ("first", "again"):
        places = embed(features[10:25], perplexity=30.0, seed=0)
        draw_embedding(tmp_path / f"{name}.png", places, groups=[("untouched", 10), ("corrupted", 5)])
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_a_picture_can_say_why_there_is_none(tmp_path: Path):
    draw_absence(tmp_path / "tsne.png", "No discriminator.")
    draw_absence(tmp_path / "other.png", "No generator.")
    assert (tmp_path / "tsne.png").read_bytes() != (tmp_path / "other.png").read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_records": 0}, "max_records must be at least 1, got 0"),
        ({"mildness": 1.0}, "mildness must be between 0 and 1, got 1.0"),
        ({"perplexity": 0.5}, "perplexity must be at least 1, got 0.5"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict, message: str):
    with pytest.raises(ValueError, match=message):
        Embedding(**({"max_records": 9, "mildness": 0.5, "perplexity": 5.0} | changes))
