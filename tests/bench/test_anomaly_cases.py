"""The further cases of the benchmark of detectors: their draws, and the plain loop that the search is held against."""

import numpy as np
import pytest
import torch

from bench.anomaly import alarms, mosaics, speed
from mintmark.anomaly.anogan import AnoGan, Search, fit
from mintmark.data.images import ImageSet
from mintmark.gan.networks import Discriminator, Generator


def greys(num: int, *, side: int = 4) -> ImageSet:
    """Record i is of one grey, i, and of class i modulo 2."""
    images = np.arange(num, dtype=np.uint8)[:, None, None, None].repeat(side, axis=1).repeat(side, axis=2)
    return ImageSet(ids=[f"r{row}" for row in range(num)], codes=np.arange(num) % 2, images=images, classes=("0", "1"))


def test_groups_are_of_one_class_and_share_no_image():
    size = alarms.Size(fitted=10, calibrated=20, judged=5, groups=3)
    found = alarms.groups(greys(240), code=1, size=size)
    shown = [((group[:, 0, 0, 0] + 1) * 127.5).round().int().tolist() for group in found]
    assert [len(group) for group in shown] == [35, 35, 35]
    everything = [grey for group in shown for grey in group]
    assert len(set(everything)) == 105
    assert all(grey % 2 == 1 for grey in everything)


@pytest.mark.parametrize(("got", "met"), [([0.04, 0.05, 0.062], True), ([0.06, 0.061, 0.062], False)])
def test_a_rate_is_met_if_it_lies_within_the_interval(got: list[float], met: bool):  # noqa: FBT001
    assert alarms._goal("some", 0.05, np.array(got)).met is met


def test_the_plain_loop_scores_as_the_batched_search_does():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(shape=(8, 8, 1), num_classes=1, latent_size=6, width=8)
        discriminator = Discriminator(shape=(8, 8, 1), num_classes=1, width=8)
    search = Search(
        num_steps=10, learning_rate=0.1, num_starts=2, bank_per_class=20, feature_weight=0.1, norm=1.0, batch_size=64
    )
    images = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    searcher: AnoGan = fit(images, generator=generator, discriminator=discriminator, search=search, seed=0)
    alone = torch.cat([speed.alone_score(searcher, one[None]) for one in images])
    torch.testing.assert_close(alone, searcher.score(images), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("odd", [False, True])
def test_a_mosaic_is_of_one_class_but_for_its_odd_tile(odd: bool):  # noqa: FBT001
    records = greys(200, side=28)
    found = mosaics.mosaic(records, code=1, odd=odd, rng=np.random.default_rng(0))
    assert found.picture.shape[:2] == found.odd.shape
    assert found.odd.sum() == (28 * 28 if odd else 0)
    assert (found.picture[:, :, 0][~found.odd] % 2 == 1).all()
    assert (found.picture[:, :, 0][found.odd] % 2 == 0).all()
