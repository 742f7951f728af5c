import torch

from mintmark.gan.cost import image_flops, step_flops
from mintmark.gan.networks import Generator


def test_an_image_costs_two_operations_a_product_of_its_layers():
    generator = Generator(shape=(8, 8, 1), num_classes=3, latent_size=4, width=2)
    # 8x8 has two levels, of 4 channels at 4x4 and 2 at 8x8; the style has 4
    mapping = 8 * 4 + 4 * 4
    start = 4 * 4 * 16
    coarse = 4 * 2 * 9 * 16 + 4 * 4
    fine = 2 * 2 * 9 * 64 + 4 * 4
    to_image = 2 * 1 * 9 * 64
    assert image_flops(generator) == 2 * (mapping + start + coarse + fine + to_image)


def test_a_step_costs_in_proportion_to_its_batch_and_not_to_the_penalty(tiny_config):
    def flops(**changes):
        return step_flops((8, 8, 1), num_classes=3, config=tiny_config(**changes))

    once, twice = flops(batch_size=12), flops(batch_size=24)
    assert 1.95 < twice / once < 2.05
    assert flops(penalty_interval=1) == once
    generated = image_flops(Generator(shape=(8, 8, 1), num_classes=3, latent_size=4, width=4))
    assert once > 12 * 3 * generated  # forward and backward of the generator alone take about three times an image


def test_counting_leaves_the_global_random_state_alone(tiny_config):
    before = torch.get_rng_state()
    step_flops((8, 8, 1), num_classes=3, config=tiny_config())
    assert torch.equal(torch.get_rng_state(), before)
