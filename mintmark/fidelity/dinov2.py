"""DINOv2's vision transformer (Oquab et al. 2023), for features of general images.

Parameters bear the names of `dinov2_vits14_pretrain.pth` and its larger kin, with or without register tokens, so that
the user's copy fills it; width, depth and patch size are read off the file. Pixels go in as in Stein et al. 2023:
224 by 224, bicubic, with ImageNet's mean and deviation. The feature is the class token after the last normalisation.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from mintmark.errors import BadInput
from mintmark.fidelity.state_dict import fill_published, read_state_dict

SIDE = 224
HEAD_SIZE = 64  # of every published size
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GRID_OFFSET = 0.1  # of the published resampling of positions, which the weights were used with ever since
UNUSED = ("mask_token",)  # of the training alone

Tokens = Float[torch.Tensor, "n tokens features"]


def load_dinov2(path: Path) -> "Dinov2":
    """The network with the user's weights, of the size that they have.

    Raises:
        BadInput: the file is missing, damaged, or of another network.
    """
    tensors = read_state_dict(path)
    network = _sized(tensors, path)
    fill_published(network, tensors, path, unused=UNUSED)
    return network


def _sized(tensors: Mapping[str, torch.Tensor], path: Path) -> "Dinov2":
    try:
        width, _, patch, _ = tensors["patch_embed.proj.weight"].shape
        positions = tensors["pos_embed"].shape[1] - 1
        hidden = tensors["blocks.0.mlp.fc1.weight"].shape[0]
    except (KeyError, ValueError, IndexError) as error:
        raise BadInput(f"{path}: expected the weights of a DINOv2 transformer with plain MLPs, got others") from error
    blocks = {int(found[1]) for name in tensors if (found := re.match(r"blocks\.(\d+)\.", name))}
    registers = tensors["register_tokens"].shape[1] if "register_tokens" in tensors else 0
    if width % HEAD_SIZE or math.isqrt(positions) ** 2 != positions:
        raise BadInput(
            f"{path}: expected a width in heads of {HEAD_SIZE} and a square of positions, got {width} and {positions}"
        )
    return Dinov2(width=width, depth=len(blocks), patch=patch, positions=positions, hidden=hidden, registers=registers)


class _Patches(nn.Module):
    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, stride=patch)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.proj(images)


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, tokens: Tokens) -> Tokens:
        n, length, width = tokens.shape
        parts = self.qkv(tokens).reshape(n, length, 3, width // HEAD_SIZE, HEAD_SIZE).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts.unbind(0))
        return self.proj(mixed.transpose(1, 2).reshape(n, length, width))


class _Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, tokens: Tokens) -> Tokens:
        return self.fc2(functional.gelu(self.fc1(tokens)))


class _Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tokens) -> Tokens:
        return tokens * self.gamma


class _Block(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn, self.mlp = _Attention(width), _Mlp(width, hidden)
        self.ls1, self.ls2 = _Scale(width), _Scale(width)

    def forward(self, tokens: Tokens) -> Tokens:
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens)))
        return tokens + self.ls2(self.mlp(self.norm2(tokens)))


class Dinov2(nn.Module):
    """From images to the class token.

    Args:
        width: Of a token; a multiple of `HEAD_SIZE`.
        depth: Blocks.
        patch: Side of a patch, in pixels.
        positions: Of the patches that were learnt; a square number.
        hidden: Of the blocks' perceptrons.
        registers: Tokens beside the class's.
    """

    def __init__(self, *, width: int, depth: int, patch: int, positions: int, hidden: int, registers: int) -> None:
        super().__init__()
        self.num_features, self.patch = width, patch
        self.patch_embed = _Patches(width, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + positions, width))
        self.register_tokens = nn.Parameter(torch.zeros(1, registers, width)) if registers else None
        self.blocks = nn.ModuleList([_Block(width, hidden) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> Float[torch.Tensor, "n features"]:
        """The features of images in [0, 1], of any size."""
        side = SIDE // self.patch * self.patch
        images = functional.interpolate(images, (side, side), mode="bicubic", align_corners=False, antialias=True)
        mean, deviation = (torch.tensor(one, device=images.device)[:, None, None] for one in (MEAN, DEVIATION))
        patches = self.patch_embed((images.clamp(0, 1) - mean) / deviation).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), patches], dim=1) + self._positions()
        if self.register_tokens is not None:
            registers = self.register_tokens.expand(len(images), -1, -1)
            tokens = torch.cat([tokens[:, :1], registers, tokens[:, 1:]], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)[:, 0]

    def _positions(self) -> Float[torch.Tensor, "1 tokens features"]:
        """The learnt positions, resampled to the patches of an image here."""
        learnt, wanted = math.isqrt(self.pos_embed.shape[1] - 1), SIDE // self.patch
        if learnt == wanted:
            return self.pos_embed
        grid = self.pos_embed[:, 1:].reshape(1, learnt, learnt, -1).permute(0, 3, 1, 2)
        scale = (wanted + GRID_OFFSET) / learnt
        grid = functional.interpolate(grid, scale_factor=(scale, scale), mode="bicubic", align_corners=False)
        return torch.cat([self.pos_embed[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)
