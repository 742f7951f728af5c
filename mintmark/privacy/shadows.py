"""What reference models that were not trained on a record would answer to it. Knows nothing of training or files."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float


class Shadows(NamedTuple):
    """What reference models answered to the records under attack.

    Attributes:
        answers: One score a model and record: a classifier's confidence, a discriminator's logit, a distance.
        trained_on: Whether the model was trained on the record.
    """

    answers: Float[np.ndarray, "models queries"]
    trained_on: Bool[np.ndarray, "models queries"]

    def map(self, scale: Callable[[np.ndarray], np.ndarray]) -> "Shadows":
        """The same answers on another scale."""
        return Shadows(scale(self.answers), self.trained_on)

    def untrained_mean(self) -> Float[np.ndarray, " queries"] | None:
        """The mean answer of the models that were not trained on the record; None where a record has none such."""
        counts = (~self.trained_on).sum(axis=0)
        if not len(self.answers) or (counts == 0).any():
            return None
        return np.where(self.trained_on, 0.0, self.answers).sum(axis=0) / counts
