import pytest
import torch

from mintmark.errors import BadInput
from mintmark.semi_supervised.propagation import spread_labels


def chains():
    """Two long chains side by side, labelled at one end each: the nearest label is often the wrong one."""
    along = torch.arange(40.0)
    points = torch.cat(
        [torch.stack([along, torch.zeros(40)], dim=1), torch.stack([along, torch.full((40,), 3.0)], dim=1)]
    )
    truth = torch.arange(2).repeat_interleave(40)
    codes = torch.full((80,), -1)
    codes[0], codes[79] = 0, 1
    return points, codes, truth


def test_labels_follow_the_chains_where_the_nearest_label_misleads():
    points, codes, truth = chains()
    nearest = torch.cdist(points, points[codes >= 0]).argmin(dim=1)
    assert (nearest == truth).float().mean() < 0.6
    beliefs = spread_labels(points, codes, num_classes=3, neighbours=3, alpha=0.9)
    assert torch.equal(beliefs.argmax(dim=1), truth)
    assert beliefs.shape == (80, 3)
    torch.testing.assert_close(beliefs.sum(dim=1), torch.ones(80))
    assert beliefs[:, 2].abs().max() == 0


def test_what_no_label_reaches_is_unknown():
    points, codes, _ = chains()
    codes[79] = -1
    codes[1] = 1
    beliefs = spread_labels(points, codes, num_classes=2, neighbours=3, alpha=0.9)
    torch.testing.assert_close(beliefs[40:], torch.full((40, 2), 0.5))


def test_no_label_at_all_is_refused():
    points, codes, _ = chains()
    with pytest.raises(BadInput, match="at least one with a label"):
        spread_labels(points, torch.full_like(codes, -1), num_classes=2, neighbours=3, alpha=0.9)
