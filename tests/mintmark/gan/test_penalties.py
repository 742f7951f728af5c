import pytest
import torch

from mintmark.gan.parallel import ALONE
from mintmark.gan.penalties import taken

SLOPE_REAL, SLOPE_FAKE = 2.0, 3.0


def found(config, rng=None):
    """Of a critic whose slope is 2 at real images and 3 at fake ones, and 3 between them."""
    images = torch.randn(8, 1, 1, 1, requires_grad=True)
    slopes = torch.tensor([SLOPE_REAL, SLOPE_FAKE]).repeat_interleave(4)[:, None, None, None]
    logits = (images * slopes).sum(dim=(1, 2, 3))

    def judge(points):
        return (points * SLOPE_FAKE).sum(dim=(1, 2, 3))

    rng = rng or torch.Generator().manual_seed(0)
    return taken(logits, images, judge, config=config, rng=rng, group=ALONE)


@pytest.mark.parametrize(
    ("weights", "weighted", "seen"),
    [
        ((0.5, 0.5, 0.0), 0.5 / 2 * (4 + 9), 13.0),
        ((0.5, 0.0, 0.0), 0.5 / 2 * 4, 4.0),
        ((0.0, 0.2, 0.0), 0.2 / 2 * 9, 9.0),
        ((0.1, 0.4, 0.0), 0.1 / 2 * 4 + 0.4 / 2 * 9, 13.0),
        ((0.0, 0.0, 10.0), 10 * 4, 4.0),
        ((0.5, 0.0, 10.0), 0.5 / 2 * 4 + 10 * 4, 8.0),
    ],
)
def test_each_penalty_by_hand_under_its_own_weight(tiny_config, weights, weighted, seen):
    r1, r2, lipschitz = weights
    penalty = found(tiny_config(r1_weight=r1, r2_weight=r2, lipschitz_weight=lipschitz))
    assert penalty.weighted.item() == pytest.approx(weighted, rel=1e-5)
    assert penalty.seen.item() == pytest.approx(seen, rel=1e-5)


def test_only_the_lipschitz_penalty_draws(tiny_config):
    rng = torch.Generator().manual_seed(3)
    before = rng.get_state()
    found(tiny_config(), rng)
    assert torch.equal(rng.get_state(), before)
    found(tiny_config(lipschitz_weight=1.0), rng)
    assert not torch.equal(rng.get_state(), before)
