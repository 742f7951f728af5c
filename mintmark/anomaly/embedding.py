"""Features of images as a picture: neighbours among them lie side by side (t-SNE, van der Maaten and Hinton 2008).

As in reviews of AnoGAN, to see whether what a discriminator has learnt sets strange images apart. Distances between
groups and the groups' sizes in such a picture mean nothing; only who lies beside whom does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure

from mintmark.files import whole_file

NUM_ITERATIONS = 500
COLOURS = ("tab:blue", "tab:orange", "tab:red")


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedding:
    """What is shown.

    Attributes:
        max_records: The most records of a group.
        mildness: Times the strength of a corruption, for the group of mild ones.
        perplexity: How many neighbours of a record count, about; at most a third of the records.
    """

    max_records: int
    mildness: float
    perplexity: float

    def __post_init__(self) -> None:
        if self.max_records < 1:
            raise ValueError(f"max_records must be at least 1, got {self.max_records}")
        if not 0 < self.mildness < 1:
            raise ValueError(f"mildness must be between 0 and 1, got {self.mildness}")
        if self.perplexity < 1:
            raise ValueError(f"perplexity must be at least 1, got {self.perplexity}")


def embed(features: Float[torch.Tensor, "n features"], *, perplexity: float, seed: int) -> Float[np.ndarray, "n 2"]:
    """A place in the plane for each row of features, the same on one machine for one seed."""
    from sklearn.manifold import TSNE  # heavy, and one picture needs it
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):  # more threads add up in another order
        return TSNE(
            perplexity=min(perplexity, (len(features) - 1) / 3),
            init="pca",
            max_iter=NUM_ITERATIONS,
            random_state=seed,
        ).fit_transform(features.cpu().double().numpy())


def draw_embedding(path: Path, places: Float[np.ndarray, "n 2"], *, groups: Sequence[tuple[str, int]]) -> None:
    """Write the places as a PNG, a colour a group.

    Args:
        path: Where to write it.
        places: The groups' rows, one group after the other.
        groups: Name and size of each, at most three.
    """
    figure = Figure(figsize=(6.0, 5.4), layout="constrained")
    axes = figure.subplots()
    ends = np.cumsum([0, *(size for _, size in groups)])
    for (name, size), start, colour in zip(groups, ends, COLOURS, strict=False):
        rows = places[start : start + size]
        axes.scatter(rows[:, 0], rows[:, 1], s=12, color=colour, alpha=0.7, label=f"{name} ({size})")
    axes.set_title("What the discriminator sees: like lies beside like")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.legend(fontsize=8)
    _save(figure, path)


def draw_absence(path: Path, words: str) -> None:
    """Write a picture that says why there is none."""
    figure = Figure(figsize=(6.0, 1.2))
    figure.text(0.5, 0.5, words, ha="center", va="center")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", dpi=110, metadata={"Software": None})
