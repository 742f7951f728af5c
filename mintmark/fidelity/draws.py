"""Disjoint samples of real and released records, for a distance and the floor beside it at the same n.

Of two sets at a time, every measure here depends on how many records they hold, and the more alike they are the more so;
a bootstrap would add records that lie at no distance from one another, which no fresh sample holds, and would shift the
Fréchet distance, coverage and the rest. So the records are cut, once, into samples that share none: each pair of samples
gives one independent value at the same n, and their mean has Student's interval.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

FEWEST = 2  # draws, of which a spread can be known


@dataclass(frozen=True, kw_only=True, slots=True)
class Draws:
    """Rows of the samples of each draw, in order; no two samples of one source share a row.

    Attributes:
        real: Of real samples, with which both others are compared.
        other_real: Of others, for the floor.
        released: Of as many released records.
    """

    real: Int64[np.ndarray, "draws n"]
    other_real: Int64[np.ndarray, "draws n"]
    released: Int64[np.ndarray, "draws n"]

    @property
    def size(self) -> int:
        """n: the records of one sample."""
        return self.real.shape[1]


def draw(num_real: int, num_released: int, *, draws: int, max_size: int, rng: np.random.Generator) -> Draws:
    """Cut `2 * draws` real and `draws` released samples, as large as both sources allow, up to `max_size`."""
    size = min(num_real // (2 * draws), num_released // draws, max_size)
    real = rng.permutation(num_real)[: 2 * draws * size].reshape(2, draws, size)
    released = rng.permutation(num_released)[: draws * size].reshape(draws, size)
    return Draws(real=real[0], other_real=real[1], released=released)
