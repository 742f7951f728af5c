"""A trained discriminator as classifier, labeller and extractor of features; and as a file, rebuilt from it alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64

from mintmark import weights
from mintmark.errors import BadInput
from mintmark.semi_supervised.networks import ClassDiscriminator
from mintmark.semi_supervised.recipe import Recipe
from mintmark.semi_supervised.training import train

KIND = "class-discriminator"
BATCH_SIZE = 512
Images = Float[torch.Tensor, "n channels height width"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SemiSupervised:
    """A discriminator that classifies; it answers without noise.

    Attributes:
        network: On any device.
    """

    network: ClassDiscriminator

    def probabilities(self, images: Images) -> Float[torch.Tensor, "n classes"]:
        """The probability of each class, on the CPU; the largest of a row is the confidence of that label."""
        return self._answers(images, self.network).softmax(dim=1)

    def realness(self, images: Images) -> Float[torch.Tensor, " n"]:
        """The probability that an image is real, Z / (Z + 1), on the CPU."""
        return self._answers(images, self.network).logsumexp(dim=1).sigmoid()

    def features(self, images: Images) -> Float[torch.Tensor, "n features"]:
        """What the last layer sees, on the CPU."""
        return self._answers(images, self.network.features)

    @torch.no_grad()
    def _answers(self, images: Images, ask: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        device = next(self.network.parameters()).device
        return torch.cat([ask(part.to(device)).float().cpu() for part in images.split(BATCH_SIZE)])


def fit_semi_supervised(
    images: Images, codes: Int64[torch.Tensor, " n"], *, num_classes: int, recipe: Recipe, seed: int
) -> SemiSupervised:
    """Train for all steps of the recipe.

    Args:
        images: Pixels in [-1, 1], on the device that trains.
        codes: Their classes, 0 to `num_classes` - 1, or -1 for an unlabelled image.
        num_classes: How many classes there are; each has a labelled image.
        recipe: The recipe.
        seed: Of everything drawn here.

    Raises:
        BadInput, ValueError, FloatingPointError: as `train`.
    """
    *_, last = train(images, codes, num_classes=num_classes, recipe=recipe, seed=seed)
    return SemiSupervised(network=last.state.average)


def save_semi_supervised(
    path: Path, model: SemiSupervised, *, classes: tuple[str, ...], facts: Mapping[str, Any]
) -> None:
    """Write weights, architecture and class names; `facts` are further JSON values for a reader."""
    network = model.network
    names = ("shape", "num_classes", "width", "form", "input_noise", "hidden_noise")
    architecture = {name: getattr(network, name) for name in names}
    metadata = {"kind": KIND, "architecture": architecture, "classes": classes, "facts": dict(facts)}
    weights.save(path, network.state_dict(), metadata)


def load_semi_supervised(path: Path) -> tuple[SemiSupervised, tuple[str, ...]]:
    """The model of a file, on the CPU, and the names of its classes in the order of their codes.

    Raises:
        BadInput: the file is missing or holds no such model.
    """
    tensors, metadata = weights.load(path)
    if metadata.get("kind") != KIND:
        raise BadInput(f"{path}: expected a {KIND}, got {metadata.get('kind')!r}")
    architecture = metadata["architecture"]
    network = ClassDiscriminator(**(architecture | {"shape": tuple(architecture["shape"])}))
    weights.fill(network, tensors, path)
    return SemiSupervised(network=network.requires_grad_(requires_grad=False)), tuple(metadata["classes"])
