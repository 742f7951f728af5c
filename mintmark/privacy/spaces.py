"""Where an attacker measures distances: pixels, principal components, and features that they learnt themselves.

All is learnt from the attacker's own reference records, which no target was trained on: a space that had seen the
members would leak them itself. Knows nothing of targets.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from mintmark.classify.networks import SmallCNN
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.fidelity.copies import pixels
from mintmark.fidelity.features import features_of, trained_network

NUM_COMPONENTS = 20  # beyond which densities of some thousand records thin out
SMALLEST_SHARE = 1e-6  # of the largest variance; a direction with less is constant


@dataclass(frozen=True, kw_only=True, slots=True)
class Spaces:
    """What an attacker made of their reference records.

    Attributes:
        reference: The records, as rows of pixels in [0, 1].
        shape: (height, width, channels) of an image.
        mean: Of the reference.
        axes: Directions of most variance, scaled so that the reference has variance 1 along each.
        network: A classifier of the reference, whose last layer's view of an image is its features; None where fewer
            than two classes are labelled there.
    """

    reference: Float[torch.Tensor, "reference pixels"]
    shape: tuple[int, int, int]
    mean: Float[torch.Tensor, " pixels"]
    axes: Float[torch.Tensor, "pixels components"]
    network: SmallCNN | None

    def components(self, rows: Float[torch.Tensor, "n pixels"]) -> Float[torch.Tensor, "n components"]:
        """Rows of pixels as whitened principal components."""
        return (rows - self.mean) @ self.axes

    def features(self, rows: Float[torch.Tensor, "n pixels"]) -> Float[torch.Tensor, "n features"]:
        """Rows of pixels as features of the attacker's classifier, which sees them rounded to grey levels.

        Raises:
            ValueError: the attacker has no classifier.
        """
        if self.network is None:
            raise ValueError("spaces must hold a network for features, got none")
        images = (rows * 255.0).round().clamp(0, 255).to(torch.uint8).numpy().reshape(len(rows), *self.shape)
        return features_of(self.network, images)


def open_spaces(reference: ImageSet, *, recipe: Recipe, seed: int) -> Spaces:
    """Learn the spaces.

    Args:
        reference: The attacker's records, of which two at least differ.
        recipe: Of the classifier whose features are compared.
        seed: Of that classifier.
    """
    rows = pixels(reference.images)
    mean = rows.mean(dim=0)
    centred = (rows - mean).double()
    values, vectors = torch.linalg.eigh(centred.T @ centred / max(1, len(rows) - 1))
    kept = values.flip(0)[:NUM_COMPONENTS] > SMALLEST_SHARE * values[-1]
    values, vectors = values.flip(0)[:NUM_COMPONENTS][kept], vectors.flip(1)[:, :NUM_COMPONENTS][:, kept]
    known = reference.labelled()
    learnt = len(np.unique(known.codes)) > 1
    return Spaces(
        reference=rows,
        shape=reference.shape,
        mean=mean,
        axes=(vectors / values.sqrt()).float(),
        network=trained_network(known, recipe=recipe, seed=seed, device=torch.device("cpu")) if learnt else None,
    )
