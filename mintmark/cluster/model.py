"""A fitted transformation-invariant clustering: asked, saved and loaded.

The file holds prototypes, encoder and heads, and the metadata that rebuilds them from the file alone. Knows nothing of
training.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64

from mintmark import weights
from mintmark.cluster.clustering import Assignment
from mintmark.cluster.dti import DTI, Form, Offsets
from mintmark.errors import BadInput
from mintmark.transformations.sequence import undo_all

BLOCK_ELEMENTS = 1 << 24


@dataclass(frozen=True, kw_only=True, slots=True)
class TransformedClusters:
    """Clusters of images up to transformations; a `Clustering`.

    Attributes:
        network: One start.
        background: Each channel's value where nothing is, in [-1, 1].
    """

    network: DTI
    background: Float[torch.Tensor, " channels"]

    @property
    def prototypes(self) -> Float[torch.Tensor, "clusters channels height width"]:
        """The clusters' pictures, in about [-1, 1]."""
        return self.network.prototypes[0].detach() + self.background[:, None, None]

    @torch.no_grad()
    def assign(self, images: Float[torch.Tensor, "n channels height width"]) -> Assignment:
        """The cluster whose transformed prototype is nearest to each image."""
        nearest = self.distances(images).min(dim=0)
        return Assignment(nearest.indices, nearest.values)

    @torch.no_grad()
    def distances(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "clusters n"]:
        """Mean squared difference per pixel of each image from what each cluster makes of it."""
        found = []
        for block in self._blocks(images):
            centred = block - self.background[:, None, None]
            found.append(self.network.distances(centred, self._offsets(centred))[0])
        return torch.cat(found, dim=1)

    @torch.no_grad()
    def align(
        self, images: Float[torch.Tensor, "n channels height width"], clusters: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Each image with what brings its cluster's prototype to it undone, so far as each transformation can be."""
        if not len(images):  # as of a cluster without members; the encoder reads one at least
            return images
        centred = images - self.background[:, None, None]
        undone = undo_all(self.network.transformations, centred, self.offsets(images, clusters))
        return undone + self.background[:, None, None]

    @torch.no_grad()
    def offsets(
        self, images: Float[torch.Tensor, "n channels height width"], clusters: Int64[torch.Tensor, " n"]
    ) -> tuple[Float[torch.Tensor, "n _"], ...]:
        """What tells the transformations that bring each image's cluster's prototype to it."""
        columns = torch.arange(len(images), device=clusters.device)
        centred = images - self.background[:, None, None]
        return tuple(one[0, clusters, columns] for one in self._offsets(centred))

    def _offsets(self, centred: torch.Tensor) -> Offsets:
        return self.network.offsets(centred.contiguous(), stage=len(self.network.transformations))

    def _blocks(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return images.split(max(1, BLOCK_ELEMENTS // max(1, self.network.prototypes[0].numel())))


def background_of(images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " channels"]:
    """Each channel's median over the frame of all images: what most likely lies outside them.

    Nothing lies above or below a series, an image of one row: its frame is its two ends.
    """
    sides = [images[:, :, :, 0], images[:, :, :, -1]]
    if images.shape[2] > 1:
        sides = [images[:, :, 0], images[:, :, -1], *sides]
    frame = torch.cat(sides, dim=2)  # (n, channels, 2 * (height + width))
    return frame.transpose(0, 1).flatten(1).median(dim=1).values


def save_clusters(path: Path, clusters: TransformedClusters, *, facts: Mapping[str, Any]) -> None:
    """Write a clustering to one file.

    Args:
        path: The file.
        clusters: What to write.
        facts: Further JSON values, such as how many records stand behind each prototype.
    """
    tensors = {**clusters.network.state_dict(), "background": clusters.background}
    weights.save(path, tensors, {"model": "dti", "form": asdict(clusters.network.form), "facts": dict(facts)})


def load_clusters(path: Path) -> tuple[TransformedClusters, dict[str, Any]]:
    """The clustering and the facts in one file.

    Raises:
        BadInput: the file is missing, or holds another model.
    """
    tensors, metadata = weights.load(path)
    if metadata.get("model") != "dti":
        raise BadInput(f"{path}: expected a model 'dti', got {metadata.get('model')!r}")
    values: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one for name, one in metadata["form"].items()
    }
    form = Form(**values)
    background = tensors.pop("background")
    network = DTI(form, prototypes=tensors["prototypes"], rng=torch.Generator())
    weights.fill(network, tensors, path)
    return TransformedClusters(network=network.eval(), background=background), metadata["facts"]
