"""Several detectors as one: how surprising their scores are, on average, to normals that none of them was fitted on.

A score's surprise is -log of its conformal p-value among held-out normals (Vovk et al. 2005), and the mean over
detectors is Fisher's combination (1932) but for scale. Beyond the highest scores of held-out normals every p-value
would be the same; there the tail is taken as exponential, the simplest of the family that all such tails approach
(Pickands 1975). Neither the members nor their weights are chosen by anomalies: all members count alike.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float

from mintmark.anomaly.detector import Detector, Explanation, explained
from mintmark.errors import BadInput

TAIL = 0.1  # share of the held-out normals beyond which the tail is modelled
LEAST_HELD_OUT = 20  # two in the tail


class Reference(NamedTuple):
    """What one detector's scores of held-out normals look like.

    Attributes:
        scores: In order.
        edge: Where the tail begins.
        excess: How far scores in the tail lie beyond the edge, on average.
    """

    scores: Float[torch.Tensor, " held_out"]
    edge: float
    excess: float

    def surprise(self, scores: Float[torch.Tensor, " n"]) -> Float[torch.Tensor, " n"]:
        """-log p of each score, 0 or more, continuous at the edge."""
        num = len(self.scores)
        as_high = num - torch.searchsorted(self.scores, scores.clamp_max(self.edge).contiguous())
        inside = -((1.0 + as_high) / (num + 1)).log()
        return inside.to(scores.dtype) + (scores - self.edge).clamp_min(0) / self.excess


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Combination:
    """Fitted detectors, each with its reference."""

    detectors: tuple[Detector, ...]
    references: tuple[Reference, ...]

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "combination"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """Mean surprise over the detectors.

        Raises:
            BadInput: the images are of another shape than those that a detector was fitted on.
        """
        return combine(self.references, [one.score(images) for one in self.detectors])

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The mean of what the detectors expected, and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than those that a detector was fitted on.
        """
        expected = torch.stack([one.explain(images).reconstruction for one in self.detectors])
        return explained(images, expected.mean(dim=0))


def fit(held_out: Float[torch.Tensor, "n channels height width"], *, detectors: Sequence[Detector]) -> Combination:
    """Score normals that no detector was fitted on.

    Raises:
        BadInput: there is no detector, the normals are too few, or all their highest scores are the same.
    """
    if not detectors:
        raise BadInput("detectors: expected at least one, got none")
    references = [refer(one.score(held_out), kind=one.kind) for one in detectors]
    return Combination(detectors=tuple(detectors), references=tuple(references))


def combine(references: Sequence[Reference], scores: Sequence[Float[torch.Tensor, " n"]]) -> Float[torch.Tensor, " n"]:
    """Mean surprise of some images, by their scores of each detector."""
    pairs = zip(references, scores, strict=True)
    return torch.stack([reference.surprise(some) for reference, some in pairs]).mean(dim=0)


def refer(scores: Float[torch.Tensor, " n"], *, kind: str) -> Reference:
    """What held-out scores of a detector look like.

    Raises:
        BadInput: they are too few, or the highest are all the same.
    """
    if len(scores) < LEAST_HELD_OUT:
        raise BadInput(f"held_out: expected at least {LEAST_HELD_OUT} normals, got {len(scores)}")
    in_order = scores.sort().values
    in_tail = math.floor(TAIL * len(scores))
    edge = in_order[-in_tail - 1]
    excess = (in_order[-in_tail:] - edge).mean()
    if excess <= 0:
        raise BadInput(f"held_out: expected scores that differ, got a {kind} whose {in_tail + 1} highest are the same")
    return Reference(in_order, edge.item(), excess.item())
