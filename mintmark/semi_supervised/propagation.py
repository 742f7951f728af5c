"""Labels spread from few labelled points to their neighbours, in whatever space: pixels, or a network's features."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64

from mintmark.errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Spreading:
    """How labels spread; see `spread_labels`."""

    neighbours: int
    alpha: float

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise ValueError(f"neighbours must be at least 1, got {self.neighbours}")
        if not 0.0 < self.alpha < 1.0:
            raise ValueError(f"alpha must lie between 0 and 1, got {self.alpha}")


def spread_labels(
    points: Float[torch.Tensor, "n features"],
    codes: Int64[torch.Tensor, " n"],
    *,
    num_classes: int,
    neighbours: int,
    alpha: float,
) -> Float[torch.Tensor, "n classes"]:
    """Probabilities of the classes for every point, by label spreading on a graph of neighbours (Zhou et al. 2004).

    Args:
        points: On the CPU; Euclidean distances between them must mean something.
        codes: Their classes, -1 for an unlabelled point.
        num_classes: How many classes there are; columns of those without a label are 0.
        neighbours: Of each point in the graph, itself included.
        alpha: How much a label may be overruled by its neighbours, above 0 and below 1.

    Raises:
        BadInput: no point carries a label.
    """
    from sklearn.semi_supervised import LabelSpreading  # takes a second to import, and most trainings spread nothing

    if not bool((codes >= 0).any()):
        raise BadInput("training records: expected at least one with a label, got none")
    spread = LabelSpreading(kernel="knn", n_neighbors=neighbours, alpha=alpha, max_iter=1000)
    spread.fit(points.numpy(), codes.numpy())
    reached = torch.from_numpy(spread.label_distributions_).float()
    reached[reached.sum(dim=1) == 0] = 1 / reached.shape[1]  # what no label reaches is unknown
    beliefs = torch.zeros((len(points), num_classes))
    beliefs[:, torch.from_numpy(spread.classes_)] = reached
    return beliefs
