import pytest
import torch

from mintmark.gan.networks import Discriminator
from mintmark.gan.per_class import PerClassDiscriminator, PerClassGenerator

CODES = torch.tensor([2, 0, 1, 1, 2])


def networks():
    torch.manual_seed(0)
    generator = PerClassGenerator(shape=(8, 9, 2), num_classes=4, latent_size=4, width=2)
    return generator, PerClassDiscriminator(shape=(8, 9, 2), num_classes=4, width=2)


def test_every_row_is_made_and_judged_by_the_networks_of_its_class():
    generator, discriminator = networks()
    latents, only = torch.randn(5, 4), torch.zeros(1, dtype=torch.int64)
    images = generator(latents, CODES)
    logits = discriminator(images, CODES)
    view = discriminator.view(images, CODES)
    for row, code in enumerate(CODES.tolist()):
        own = generator.networks[code](latents[row : row + 1], only)
        torch.testing.assert_close(images[row : row + 1], own, atol=1e-5, rtol=0)
        judge = discriminator.networks[code]
        torch.testing.assert_close(logits[row : row + 1], judge(own, only), atol=1e-5, rtol=0)
        assert isinstance(judge, Discriminator)
        torch.testing.assert_close(view.features[row : row + 1], judge.features(own), atol=1e-5, rtol=0)


def test_classes_share_no_weight_and_an_absent_one_gets_a_gradient_of_zero():
    generator, discriminator = networks()
    rows = CODES == 1
    discriminator(generator(torch.randn(5, 4), CODES), CODES)[rows].sum().backward()
    for network in (generator, discriminator):
        moved = [
            any(one.grad is not None and one.grad.abs().sum() > 0 for one in part.parameters())
            for part in network.networks
        ]
        assert moved == [False, True, False, False]
        assert all(one.grad is not None for one in network.parameters())


@pytest.mark.parametrize("num", [0, 3])
def test_features_need_no_class_and_hold_every_network_side_by_side(num):
    _, discriminator = networks()
    features = discriminator.features(torch.rand(num, 2, 8, 9))
    assert features.shape == (num, discriminator.num_features)
    assert discriminator(torch.rand(num, 2, 8, 9), torch.zeros(num, dtype=torch.int64)).shape == (num,)
