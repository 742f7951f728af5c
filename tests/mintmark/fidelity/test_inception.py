"""The Inception network: the published file's names and sizes, its blocks by hand, its pixels. Weights are random."""

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from mintmark.errors import BadInput
from mintmark.fidelity.inception import Inception, _average, _Wide, load_inception

# Of pt_inception-2015-12-05-6726825d.pth: how many convolutions each block has, and some shapes.
CONVOLUTIONS = {
    "Conv2d_1a_3x3": 1,
    "Conv2d_2a_3x3": 1,
    "Conv2d_2b_3x3": 1,
    "Conv2d_3b_1x1": 1,
    "Conv2d_4a_3x3": 1,
    "Mixed_5b": 7,
    "Mixed_5c": 7,
    "Mixed_5d": 7,
    "Mixed_6a": 4,
    "Mixed_6b": 10,
    "Mixed_6c": 10,
    "Mixed_6d": 10,
    "Mixed_6e": 10,
    "Mixed_7a": 6,
    "Mixed_7b": 9,
    "Mixed_7c": 9,
}
SHAPES = {
    "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
    "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
    "Mixed_5d.branch_pool.conv.weight": (64, 288, 1, 1),
    "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
    "Mixed_6b.branch7x7_2.conv.weight": (128, 128, 1, 7),
    "Mixed_6e.branch7x7dbl_2.conv.weight": (192, 192, 7, 1),
    "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
    "Mixed_7b.branch3x3_2b.conv.weight": (384, 384, 3, 1),
    "Mixed_7c.branch3x3dbl_3a.conv.weight": (384, 384, 1, 3),
    "Mixed_7c.branch_pool.bn.running_var": (192,),
}
PARAMETERS = 21_785_568  # of Inception v3 without its last and auxiliary layers


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A file of the published layout: an ordered dictionary, with the last layer, without counters, in the old format."""
    generator = torch.Generator().manual_seed(0)
    tensors = OrderedDict()
    for name, tensor in Inception().state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        tensors[name] = torch.randn(tensor.shape, generator=generator) * (2 / max(1, tensor[0].numel())) ** 0.5
        if name.endswith(("running_var", "bn.weight")):
            tensors[name] = 0.5 + torch.rand(tensor.shape, generator=generator)
    tensors["fc.weight"], tensors["fc.bias"] = torch.zeros(1008, 2048), torch.zeros(1008)
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    return path


def test_names_and_sizes_are_the_published_ones():
    network = Inception()
    names = [name for name in network.state_dict() if name.endswith(".conv.weight")]
    assert {block: sum(name.startswith(f"{block}.") for name in names) for block in CONVOLUTIONS} == CONVOLUTIONS
    assert len(names) == sum(CONVOLUTIONS.values()) == 94
    assert {name: tuple(network.state_dict()[name].shape) for name in SHAPES} == SHAPES
    assert sum(one.numel() for one in network.parameters()) == PARAMETERS


def test_a_file_of_the_published_layout_gives_features_of_images_of_any_size(weights: Path):
    network = load_inception(weights)
    images = torch.rand(2, 3, 8, 9, generator=torch.Generator().manual_seed(1))
    features = network(images)
    assert features.shape == (2, 2048)
    assert bool((features >= 0).all())
    assert not torch.equal(features[0], features[1])
    torch.testing.assert_close(network(images[:1]), features[:1])
    enlarged = functional.interpolate(images, (299, 299), mode="bilinear", align_corners=False)
    torch.testing.assert_close(network(enlarged), features, rtol=1e-4, atol=1e-3)  # as published, where images grow


def test_a_file_of_another_network_is_refused(tmp_path: Path):
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(BadInput, match=r"other\.pth: expected the weights of Inception, got others"):
        load_inception(tmp_path / "other.pth")


def test_averages_leave_the_padding_out_and_the_last_block_pools_by_the_largest():
    ones = torch.ones(1, 1, 4, 4)
    assert torch.equal(_average(ones), ones)
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(1, 8, 5, 5, generator=generator)
    block = _Wide(8, pool_largest=True).eval()
    largest = block.branch_pool(functional.max_pool2d(maps, 3, stride=1, padding=1))
    assert torch.equal(block(maps)[:, -192:], largest)
    block.pool_largest = False
    assert torch.equal(block(maps)[:, -192:], block.branch_pool(_average(maps)))


def test_fine_stripes_of_a_large_image_turn_grey_rather_than_into_coarse_ones(weights: Path):
    """What aliasing would make of them, a smoothed image must not show (Parmar et al. 2022)."""
    stripes = (torch.arange(640) % 2).float().expand(1, 3, 640, 640)
    network, seen = load_inception(weights), []
    network.Conv2d_1a_3x3.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(stripes)
    assert float(seen[0].abs().max()) < 0.35  # grey is 0 in -1..1
