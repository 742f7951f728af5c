"""Inception v3 as the Fréchet Inception Distance uses it, up to its last pooling.

Szegedy et al. 2016, with what the published network (2015-12-05) has of its own: averages leave the padding out, and
the last block pools by the largest. Parameters bear the names of `pt_inception-2015-12-05-6726825d.pth`, so that the
user's copy of that file fills it. Pixels go in as published: 299 by 299, bilinear, from -1 to 1; larger images are
smoothed before they shrink, without which a distance measures aliasing (Parmar et al. 2022).
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from mintmark.fidelity.state_dict import fill_published, read_state_dict

SIDE = 299
UNUSED = ("fc.", "AuxLogits.")  # the published classifier's last layers

Maps = Float[torch.Tensor, "n _ _ _"]  # channels, height, width


def load_inception(path: Path) -> "Inception":
    """The network with the user's weights.

    Raises:
        BadInput: the file is missing, damaged, or of another network.
    """
    network = Inception()
    fill_published(network, read_state_dict(path), path, unused=UNUSED)
    return network


class _Unit(nn.Module):
    """A convolution, its batch normalisation, and what is above 0."""

    def __init__(
        self, inputs: int, outputs: int, size: int | tuple[int, int], *, stride: int = 1, padded: bool = True
    ) -> None:
        super().__init__()
        height, width = (size, size) if isinstance(size, int) else size
        padding = (height // 2, width // 2) if padded else 0
        self.conv = nn.Conv2d(inputs, outputs, (height, width), stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, maps: Maps) -> Maps:
        return functional.relu(self.bn(self.conv(maps)))


def _average(maps: Maps) -> Maps:
    return functional.avg_pool2d(maps, 3, stride=1, padding=1, count_include_pad=False)


class _Narrow(nn.Module):
    """Blocks 5b to 5d: filters up to 5x5."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = _Unit(inputs, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = _Unit(inputs, 48, 1), _Unit(48, 64, 5)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Unit(inputs, 64, 1), _Unit(64, 96, 3)
        self.branch3x3dbl_3 = _Unit(96, 96, 3)
        self.branch_pool = _Unit(inputs, pooled, 1)

    def forward(self, maps: Maps) -> Maps:
        fives = self.branch5x5_2(self.branch5x5_1(maps))
        threes = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(maps)))
        return torch.cat([self.branch1x1(maps), fives, threes, self.branch_pool(_average(maps))], dim=1)


class _FirstHalving(nn.Module):
    """Block 6a."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3 = _Unit(288, 384, 3, stride=2, padded=False)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Unit(288, 64, 1), _Unit(64, 96, 3)
        self.branch3x3dbl_3 = _Unit(96, 96, 3, stride=2, padded=False)

    def forward(self, maps: Maps) -> Maps:
        threes = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(maps)))
        return torch.cat([self.branch3x3(maps), threes, functional.max_pool2d(maps, 3, stride=2)], dim=1)


class _Long(nn.Module):
    """Blocks 6b to 6e: filters of 7x1 and 1x7."""

    def __init__(self, inside: int) -> None:
        super().__init__()
        self.branch1x1 = _Unit(768, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = _Unit(768, inside, 1), _Unit(inside, inside, (1, 7))
        self.branch7x7_3 = _Unit(inside, 192, (7, 1))
        self.branch7x7dbl_1, self.branch7x7dbl_2 = _Unit(768, inside, 1), _Unit(inside, inside, (7, 1))
        self.branch7x7dbl_3, self.branch7x7dbl_4 = _Unit(inside, inside, (1, 7)), _Unit(inside, inside, (7, 1))
        self.branch7x7dbl_5 = _Unit(inside, 192, (1, 7))
        self.branch_pool = _Unit(768, 192, 1)

    def forward(self, maps: Maps) -> Maps:
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(maps)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(maps)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(maps), once, twice, self.branch_pool(_average(maps))], dim=1)


class _SecondHalving(nn.Module):
    """Block 7a."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = _Unit(768, 192, 1), _Unit(192, 320, 3, stride=2, padded=False)
        self.branch7x7x3_1, self.branch7x7x3_2 = _Unit(768, 192, 1), _Unit(192, 192, (1, 7))
        self.branch7x7x3_3 = _Unit(192, 192, (7, 1))
        self.branch7x7x3_4 = _Unit(192, 192, 3, stride=2, padded=False)

    def forward(self, maps: Maps) -> Maps:
        sevens = self.branch7x7x3_2(self.branch7x7x3_1(maps))
        sevens = self.branch7x7x3_4(self.branch7x7x3_3(sevens))
        threes = self.branch3x3_2(self.branch3x3_1(maps))
        return torch.cat([threes, sevens, functional.max_pool2d(maps, 3, stride=2)], dim=1)


class _Wide(nn.Module):
    """Blocks 7b and 7c: filters of 3x1 and 1x3 side by side; 7c pools by the largest."""

    def __init__(self, inputs: int, *, pool_largest: bool) -> None:
        super().__init__()
        self.pool_largest = pool_largest
        self.branch1x1 = _Unit(inputs, 320, 1)
        self.branch3x3_1 = _Unit(inputs, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = _Unit(384, 384, (1, 3)), _Unit(384, 384, (3, 1))
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Unit(inputs, 448, 1), _Unit(448, 384, 3)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = _Unit(384, 384, (1, 3)), _Unit(384, 384, (3, 1))
        self.branch_pool = _Unit(inputs, 192, 1)

    def forward(self, maps: Maps) -> Maps:
        once = self.branch3x3_1(maps)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(maps))
        pooled = functional.max_pool2d(maps, 3, stride=1, padding=1) if self.pool_largest else _average(maps)
        sides = [self.branch3x3_2a(once), self.branch3x3_2b(once)]
        sides += [self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice)]
        return torch.cat([self.branch1x1(maps), *sides, self.branch_pool(pooled)], dim=1)


class Inception(nn.Module):
    """From images to the 2,048 features before the last layer."""

    num_features = 2048

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Unit(3, 32, 3, stride=2, padded=False)
        self.Conv2d_2a_3x3 = _Unit(32, 32, 3, padded=False)
        self.Conv2d_2b_3x3 = _Unit(32, 64, 3)
        self.Conv2d_3b_1x1 = _Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = _Unit(80, 192, 3, padded=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _Narrow(192, 32), _Narrow(256, 64), _Narrow(288, 64)
        self.Mixed_6a = _FirstHalving()
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = (_Long(n) for n in (128, 160, 160, 192))
        self.Mixed_7a = _SecondHalving()
        self.Mixed_7b, self.Mixed_7c = _Wide(1280, pool_largest=False), _Wide(2048, pool_largest=True)

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> Float[torch.Tensor, "n 2048"]:
        """The features of images in [0, 1], of any size."""
        maps = functional.interpolate(images, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)
        maps = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(2 * maps - 1)))
        maps = functional.max_pool2d(maps, 3, stride=2)
        maps = functional.max_pool2d(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(maps)), 3, stride=2)
        for block in (self.Mixed_5b, self.Mixed_5c, self.Mixed_5d, self.Mixed_6a, self.Mixed_6b, self.Mixed_6c):
            maps = block(maps)
        for block in (self.Mixed_6d, self.Mixed_6e, self.Mixed_7a, self.Mixed_7b, self.Mixed_7c):
            maps = block(maps)
        return maps.mean(dim=(2, 3))
