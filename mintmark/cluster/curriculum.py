"""When which transformation joins: one by one, each when the loss has stopped falling.

All at once they find worse clusters than one by one (Monnier, Groueix and Aubry 2020).
"""

import torch
from jaxtyping import Float


class Curriculum:
    """The identity first; a transformation more when the mean loss over starts falls too little, or time is up.

    Attributes:
        stage: How many transformations take part; all at once where a stage may have no step.
    """

    def __init__(self, *, num_stages: int, longest: int, plateau: float, every: int) -> None:
        """Begin with the identity.

        Args:
            num_stages: How many transformations there are.
            longest: Steps before the next transformation joins, at most.
            plateau: Relative fall of the loss between two looks below which it joins earlier.
            every: Steps between two looks.
        """
        self.stage = 0 if longest else num_stages
        self._num_stages, self._longest, self._plateau, self._every = num_stages, longest, plateau, every
        self._steps, self._window, self._before = 0, [], float("inf")

    @property
    def done(self) -> bool:
        """Whether all transformations take part."""
        return self.stage == self._num_stages

    def advance(self, losses: Float[torch.Tensor, " starts"]) -> None:
        """Take note of one step's losses."""
        if self.done:
            return
        self._steps += 1
        self._window.append(float(losses.mean()))
        if self._flat() or self._steps >= self._longest:
            self.stage += 1
            self._steps, self._before = 0, float("inf")
            self._window.clear()

    def _flat(self) -> bool:
        if self._steps % self._every:
            return False
        now, before = sum(self._window) / len(self._window), self._before
        self._before = now
        self._window.clear()
        return now > (1 - self._plateau) * before
