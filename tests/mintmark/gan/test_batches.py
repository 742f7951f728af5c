import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mintmark.data.images import to_unit
from mintmark.gan.batches import BalancedSampler


def sampler_of(codes):
    codes = torch.tensor(codes)
    images = torch.arange(len(codes)).float()[:, None, None, None].expand(-1, 1, 2, 2)
    return BalancedSampler(images, codes, int(codes.max()) + 1)


@given(
    counts=st.lists(st.integers(1, 7), min_size=1, max_size=6),
    size=st.integers(1, 40),
    seed=st.integers(0, 1000),
)
def test_classes_appear_equally_often_and_images_keep_their_class(counts, size, seed):
    codes = [code for code, count in enumerate(counts) for _ in range(count)]
    batch = sampler_of(codes).draw(size, rng=torch.Generator().manual_seed(seed))
    drawn = torch.bincount(batch.codes, minlength=len(counts))
    present = drawn[drawn > 0]
    assert drawn.sum() == size
    assert present.max() - present.min() <= 1
    assert len(present) == len(counts) or present.min() >= min(4, size)
    rows = batch.images[:, 0, 0, 0].long()
    assert torch.equal(torch.tensor(codes)[rows], batch.codes)


def test_every_record_is_drawn_about_equally_often():
    rng = torch.Generator().manual_seed(0)
    sampler = sampler_of([0, 1, 0, 1, 0])
    rows = torch.cat([sampler.draw(100, rng=rng).images[:, 0, 0, 0].long() for _ in range(60)])
    shares = torch.bincount(rows, minlength=5) / len(rows)
    torch.testing.assert_close(shares, torch.tensor([1 / 6, 1 / 4, 1 / 6, 1 / 4, 1 / 6]), atol=0.02, rtol=0)


@pytest.mark.parametrize("codes", [[], [0, -1], [0, 3], [0, 2]])
def test_an_absent_class_or_a_wrong_code_is_refused(codes):
    with pytest.raises(ValueError, match="must"):
        BalancedSampler(torch.zeros((len(codes), 1, 2, 2)), torch.tensor(codes, dtype=torch.int64), 3)


def test_small_batches_still_reach_every_class_equally_often():
    rng = torch.Generator().manual_seed(0)
    sampler = sampler_of([0, 1, 2, 3, 3, 3])
    codes = torch.cat([sampler.draw(8, rng=rng).codes for _ in range(500)])
    shares = torch.bincount(codes, minlength=4) / len(codes)
    torch.testing.assert_close(shares, torch.full((4,), 0.25), atol=0.03, rtol=0)


def test_bytes_are_drawn_as_the_pixels_that_they_stand_for():
    images = torch.randint(0, 256, (9, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    codes = torch.arange(9) % 3
    pixels = to_unit(images.permute(0, 2, 3, 1).numpy())
    drawn = [BalancedSampler(one, codes, 3).draw(12, rng=torch.Generator().manual_seed(1)) for one in (images, pixels)]
    assert torch.equal(drawn[0].images, drawn[1].images)
    assert torch.equal(drawn[0].codes, drawn[1].codes)
