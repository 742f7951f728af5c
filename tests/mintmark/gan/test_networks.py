import pytest
import torch

from mintmark.gan.networks import Discriminator, Generator, halvings

SHAPES = [(8, 8, 1), (28, 28, 1), (13, 9, 2), (32, 32, 3), (8, 40, 4), (64, 64, 3), (256, 256, 3)]


def networks(shape=(8, 8, 1), num_classes=3):
    torch.manual_seed(0)
    generator = Generator(shape=shape, num_classes=num_classes, latent_size=4, width=2)
    return generator, Discriminator(shape=shape, num_classes=num_classes, width=2)


@pytest.mark.parametrize(
    ("height", "width", "sizes"),
    [
        (8, 8, [(8, 8), (4, 4)]),
        (28, 28, [(28, 28), (14, 14), (7, 7)]),
        (25, 25, [(25, 25), (13, 13), (7, 7)]),
        (8, 32, [(8, 32), (4, 16), (4, 8), (4, 4)]),
        (7, 7, [(7, 7)]),
    ],
)
def test_sides_halve_until_none_exceeds_seven(height, width, sizes):
    assert halvings(height, width) == sizes


@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_goes_through_both_networks(shape):
    generator, discriminator = networks(shape)
    height, width, channels = shape
    codes = torch.tensor([0, 2])
    images = generator(torch.randn(2, 4), codes)
    assert images.shape == (2, channels, height, width)
    assert images.abs().max() <= 1
    assert discriminator(images, codes).shape == (2,)
    assert discriminator.features(images).shape == (2, discriminator.num_features)


def test_every_parameter_gets_a_gradient():
    generator, discriminator = networks()
    codes = torch.tensor([0, 1, 2])
    discriminator(generator(torch.randn(3, 4), codes), codes).square().sum().backward()
    for network in (generator, discriminator):
        assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in network.parameters())


def test_an_image_and_its_logit_do_not_depend_on_the_rest_of_the_batch():
    generator, discriminator = networks()
    latents, codes = torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    images = generator(latents, codes)
    torch.testing.assert_close(generator(latents[3:4], codes[3:4]), images[3:4], atol=1e-6, rtol=0)
    logits = discriminator(images, codes)
    torch.testing.assert_close(discriminator(images[3:4], codes[3:4]), logits[3:4], atol=1e-6, rtol=0)


def test_noise_and_class_both_change_the_image():
    generator, _ = networks()
    one, other = torch.randn(1, 4), torch.randn(1, 4)
    image = generator(one, torch.tensor([0]))
    assert (generator(other, torch.tensor([0])) - image).abs().max() > 1e-3
    assert (generator(one, torch.tensor([1])) - image).abs().max() > 1e-3


def test_the_logit_is_the_published_projection():
    _, discriminator = networks()
    images, codes = torch.rand(4, 1, 8, 8) * 2 - 1, torch.tensor([2, 0, 1, 1])
    features = discriminator.features(images)
    expected = [
        discriminator.psi.weight[0] @ phi + discriminator.embedding.weight[code] @ phi
        for phi, code in zip(features, codes, strict=True)
    ]
    torch.testing.assert_close(discriminator(images, codes), torch.stack(expected))
