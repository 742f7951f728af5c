import numpy as np
import torch

from mintmark.gan.networks import Generator
from mintmark.gan.sampling import sample


def generator():
    torch.manual_seed(0)
    return Generator(shape=(8, 8, 1), num_classes=3, latent_size=16, width=2).eval()


def test_batches_are_bounded_and_together_hold_every_wanted_image():
    codes = np.arange(23) % 3
    assert [len(batch) for batch in sample(generator(), codes, seed=0, batch_size=10)] == [10, 10, 3]
    assert list(sample(generator(), codes[:0], seed=0)) == []


def test_images_follow_their_codes_and_the_seeds_noise():
    network, codes = generator(), np.array([2, 0, 1, 1])
    (drawn,) = sample(network, codes, seed=4)
    latents = torch.randn((4, 16), generator=torch.Generator().manual_seed(4))
    assert torch.equal(drawn, network(latents, torch.from_numpy(codes)))
    assert not drawn.requires_grad
    (other,) = sample(network, codes, seed=5)
    assert not torch.equal(drawn, other)


def test_nothing_is_drawn_before_it_is_asked_for():
    batches = sample(generator(), np.zeros(10**9 // 100, dtype=np.int64), seed=0, batch_size=4)
    assert len(next(batches)) == 4
