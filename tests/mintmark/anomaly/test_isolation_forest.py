"""The isolation forest: depths counted by hand, and what it refuses."""

import pytest
import torch

from mintmark.anomaly.isolation_forest import fit
from mintmark.errors import BadInput


def test_two_normals_are_parted_by_one_cut_which_gives_every_image_a_half():
    """Depth 1 in every tree of 2 normals, and c(2) = 1: 2 ** -1."""
    normals = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, 2, 2).contiguous()
    detector = fit(normals, num_trees=20, sample_size=2, seed=0)
    scores = detector.score(torch.linspace(-3, 3, 5)[:, None, None, None].expand(5, 1, 2, 2).contiguous())
    torch.testing.assert_close(scores, torch.full((5,), 0.5))


def test_three_normals_are_parted_at_the_depths_counted_by_hand():
    """Of 0, 1 and 100, the first cut falls between 1 and 100 in 99 of 100 trees: depth 1 beyond it, 1 + c(2) below."""
    normals = torch.tensor([0.0, 1.0, 100.0]).reshape(3, 1, 1, 1)
    detector = fit(normals, num_trees=400, sample_size=3, seed=0)
    depth_of_three = 2 * (torch.log(torch.tensor(2.0)) + 0.5772156649) - 2 * 2 / 3  # c(3)
    found = -depth_of_three * detector.score(normals).log2()
    assert found[2].item() == pytest.approx(1.01, abs=0.03)
    assert found[0].item() == pytest.approx(1.99, abs=0.03)


def test_the_explanation_is_the_nearest_normal(zeros):
    detector = fit(zeros.normals, num_trees=5, sample_size=16, seed=0)
    nearest = torch.cdist(zeros.anomalies.flatten(1), zeros.normals.flatten(1)).argmin(dim=1)
    assert torch.equal(detector.explain(zeros.anomalies).reconstruction, zeros.normals[nearest])


@pytest.mark.parametrize(("key", "value", "least"), [("num_trees", 0, 1), ("sample_size", 1, 2)])
def test_settings_out_of_range_are_refused(zeros, key: str, value: int, least: int):
    settings = {"num_trees": 5, "sample_size": 16} | {key: value}
    with pytest.raises(BadInput, match=f"{key}: expected at least {least}, got {value}"):
        fit(zeros.normals, **settings, seed=0)
