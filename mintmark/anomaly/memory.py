"""A memory of the normals' patches (after PatchCore, Roth et al. 2022): an image is anomalous if its patches are new.

PatchCore takes its features from a network that was trained on a million labelled photographs. Ours is taught on the
normals alone (`pretext`), so that nothing foreign enters. Patches are pooled over their neighbourhood, told where they
lie, and thinned to a coreset. Deviation: an image's score is the mean over the three tenths of its patches that are
newest, not the newest alone, because here whole images are foreign, not one spot.

An image is explained cell by cell, by the pixels of the remembered patch nearest to its own. So the detector keeps
parts of its training records and must not be handed out.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch.nn import functional

from mintmark.anomaly.coreset import greedy_coreset
from mintmark.anomaly.descent import Training, in_blocks, require_normals
from mintmark.anomaly.detector import Explanation, explained, require_shape
from mintmark.anomaly.pretext import PatchNetwork, fit_patches
from mintmark.errors import BadInput
from mintmark.neighbours import Neighbours, nearest

NEWEST = 0.3  # share of an image's patches that its score is the mean of
NEIGHBOURHOOD = 3  # places a side over which features are averaged, as in PatchCore
BLOCK_IMAGES = 256


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PatchMemory:
    """The network, and what it made of the normals' patches.

    Attributes:
        network: Images to maps of features.
        scale: By which features are divided, so that their variances over the normals sum to 1.
        place_weight: How far apart two patches at opposite ends of a side are, in such units.
        patches: Features and places of the remembered patches.
        cells: The pixels of each.
    """

    network: PatchNetwork
    scale: float
    place_weight: float
    patches: Float[torch.Tensor, "memory features"]
    cells: Float[torch.Tensor, "memory channels cell_height cell_width"]

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "memory"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """Mean Euclidean distance to the nearest remembered patch, over the newest three tenths of an image's patches.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        parts = [_newest(found.distances.unflatten(0, (num, -1)).squeeze(2)) for num, found in self._blocks(images)]
        return torch.cat(parts) if parts else images.new_zeros(0)

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The nearest remembered patches' pixels, cell by cell, and the distance from them at each pixel.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        parts = [_joined(self.cells[found.indices[:, 0]], images[:num]) for num, found in self._blocks(images)]
        return explained(images, torch.cat(parts) if parts else images)

    def _blocks(self, images: torch.Tensor) -> list[tuple[int, Neighbours]]:
        """The number of images of each block, and the nearest remembered patch of each of their patches."""
        require_shape(images, self.network.shape, whose="the normals'")
        blocks = images.split(BLOCK_IMAGES) if len(images) else []
        return [
            (len(block), nearest(_patches(self.network, block, self.scale, self.place_weight), self.patches))
            for block in blocks
        ]


def fit(
    normals: Float[torch.Tensor, "n channels height width"],
    *,
    width: int,
    memory_size: int,
    place_weight: float,
    training: Training,
    seed: int,
) -> PatchMemory:
    """Teach the network how normals are moved, then remember a coreset of their patches.

    Args:
        normals: Pixels in [-1, 1].
        width: Channels of the network's first layer.
        memory_size: Patches that are remembered; all of them, where there are fewer.
        place_weight: How much it counts where in an image a patch lies; 0 for not at all.
        training: Of the network.
        seed: Where the weights, the batches, the moves and the coreset's first patch come from.

    Raises:
        BadInput: the normals are too few or not finite, or a setting is out of range.
    """
    shape = require_normals(normals)
    if memory_size < 1:
        raise BadInput(f"memory_size: expected at least 1, got {memory_size}")
    if place_weight < 0:
        raise BadInput(f"place_weight: expected 0 or more, got {place_weight}")
    network = fit_patches(normals, shape=shape, width=width, training=training, seed=seed)
    features = in_blocks(lambda block: _pooled(network, block), normals)
    scale = max(features.var(dim=(0, 2, 3)).sum().sqrt().item(), torch.finfo(torch.float32).tiny)
    patches = _patches(network, normals, scale, place_weight)
    rng = torch.Generator().manual_seed(seed)
    kept = greedy_coreset(patches, size=min(memory_size, len(patches)), rng=rng)
    return PatchMemory(
        network=network,
        scale=scale,
        place_weight=place_weight,
        patches=patches[kept],
        cells=_cells(normals, network.cell)[kept],
    )


def _newest(distances: Float[torch.Tensor, "n patches"]) -> Float[torch.Tensor, " n"]:
    """The mean of each row's largest."""
    return distances.topk(math.ceil(NEWEST * distances.shape[1]), dim=1).values.mean(dim=1)


def _pooled(network: PatchNetwork, images: torch.Tensor) -> torch.Tensor:
    """The maps, averaged over each place's neighbourhood; beyond the edge there is nothing to average."""
    maps = network.maps(images)
    return functional.avg_pool2d(maps, NEIGHBOURHOOD, stride=1, padding=1, count_include_pad=False)


def _patches(network: PatchNetwork, images: torch.Tensor, scale: float, place_weight: float) -> torch.Tensor:
    """Features and places of all patches, image by image and row by row: (n * rows * columns, features + 2)."""
    maps = in_blocks(lambda block: _pooled(network, block), images) / scale
    places = [torch.linspace(0.0, place_weight, side, device=maps.device) for side in maps.shape[2:]]
    grid = torch.stack(torch.meshgrid(*places, indexing="ij"))[None].expand(len(maps), -1, -1, -1)
    return torch.cat([maps, grid], dim=1).permute(0, 2, 3, 1).flatten(0, 2)


def _cells(images: torch.Tensor, cell: tuple[int, int]) -> torch.Tensor:
    """The pixels of every place, in the order of `_patches`; the last cells repeat the image's edge."""
    rows, columns = (-(-side // step) for side, step in zip(images.shape[2:], cell, strict=True))
    spare = (0, columns * cell[1] - images.shape[3], 0, rows * cell[0] - images.shape[2])
    padded = functional.pad(images, spare, mode="replicate")
    split = padded.unflatten(3, (columns, cell[1])).unflatten(2, (rows, cell[0]))
    return split.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)


def _joined(cells: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Images of the shape of `like` out of cells: `_cells` backwards."""
    height, width = like.shape[2:]
    rows, columns = -(-height // cells.shape[2]), -(-width // cells.shape[3])
    grid = cells.unflatten(0, (len(like), rows, columns)).permute(0, 3, 1, 4, 2, 5)
    return grid.flatten(4, 5).flatten(2, 3)[:, :, :height, :width]
