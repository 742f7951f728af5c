"""Which classifier learns: the built-in network, two out of scikit-learn, or a module of the user's own."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64

from mintmark.classify.cost import network_flops, step_flops
from mintmark.classify.imported import IMPORT_PATH, Imported
from mintmark.classify.networks import Classifier
from mintmark.classify.tabular import train_boosting, train_logistic
from mintmark.classify.training import Recipe, Synthetic, train_classifier, training_batches

BUILT_IN = ("cnn", "logistic", "boosting")


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of classifier.

    Attributes:
        name: "cnn", "logistic", "boosting", or an import path; see `mintmark.classify.imported`.
        components: Of the pixels, for "logistic" and "boosting"; None for the pixels themselves.
    """

    name: str = "cnn"
    components: int | None = None

    def __post_init__(self) -> None:
        if self.name not in BUILT_IN and not IMPORT_PATH.fullmatch(self.name):
            raise ValueError(f"name must be one of {list(BUILT_IN)} or package.module:Class, got {self.name!r}")
        if self.components is not None and (self.takes_steps or self.components < 1):
            raise ValueError(f"components must be null, or at least 1 with logistic or boosting, got {self.components}")

    @property
    def takes_steps(self) -> bool:
        """Whether it learns by gradient steps."""
        return self.name not in {"logistic", "boosting"}

    @property
    def can_ship(self) -> bool:
        """Whether it can be written as weights. Boosted trees can not."""
        return self.name != "boosting"


CNN = Kind()


def train_kind(
    kind: Kind,
    images: Float[torch.Tensor, "n channels height width"],
    codes: Int64[torch.Tensor, " n"],
    *,
    num_classes: int,
    recipe: Recipe,
    seed: int,
    synthetic: Synthetic | None = None,
    device: torch.device | str = "cpu",
) -> Classifier:
    """Train a classifier of a kind; arguments and errors as in `mintmark.classify.training.train_classifier`.

    Raises:
        BadInput: moreover, where a module of the user's own cannot be imported or answers in another shape.
    """
    common = {"num_classes": num_classes, "recipe": recipe, "seed": seed, "synthetic": synthetic}
    channels, height, width = images.shape[1:]
    shape = (height, width, channels)
    if kind.name == "cnn":
        return train_classifier(images, codes, device=device, **common)
    if kind.takes_steps:
        # a module may draw by itself, as dropout does, and only from the global state
        with torch.random.fork_rng(devices=[device] if torch.device(device).type == "cuda" else []):
            torch.manual_seed(seed)
            return train_classifier(
                images, codes, device=device, make=lambda: Imported(shape, num_classes, kind.name), **common
            )
    batches = training_batches(images, codes, device="cpu", **common)
    if kind.name == "logistic":
        return train_logistic(batches, shape=shape, num_classes=num_classes, components=kind.components)
    return train_boosting(batches, shape=shape, num_classes=num_classes, components=kind.components, seed=seed % 2**32)


def kind_step_flops(kind: Kind, shape: tuple[int, int, int], *, num_classes: int, width: int, batch_size: int) -> int:
    """Operations of one gradient step of a kind that takes steps; see `mintmark.classify.cost.step_flops`."""
    if kind.name == "cnn":
        return step_flops(shape, num_classes=num_classes, width=width, batch_size=batch_size)
    with torch.random.fork_rng(devices=[]):
        return network_flops(Imported(shape, num_classes, kind.name), batch_size=batch_size)
