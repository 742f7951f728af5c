"""Windowed detectors: how badly a network that learned the start of a series rebuilds what comes later.

The network learns overlapping windows of the first rows, the probation, each channel in standard deviations of those
rows. The score of a row is the mean squared residual of the window that ends there, so it uses no later value; it is
standardised by the windows of the probation's last quarter, which the network did not learn. Knows nothing of how a
network learns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from mintmark.errors import BadInput
from mintmark.series.controls import require_finite

Rows = Float[np.ndarray, "rows channels"]
Windows = Float[torch.Tensor, "n length channels"]
LEARNED_RATE = 0.75  # of the probation's windows; the rest standardise the scores
LEAST_SPREAD = 1.0e-3


@runtime_checkable
class Reconstructor(Protocol):
    """A trained network that says what a window should have looked like."""

    def reconstruct(self, windows: Windows) -> Windows:
        """The window as the network would have it."""
        ...

    def residuals(self, windows: Windows) -> Windows:
        """How far each value lies from its reconstruction, 0 or more, in the spread that the network expects there."""
        ...


class Explanation(NamedTuple):
    """Why a row got its score.

    Attributes:
        first: The first row of the window that ends there.
        expected: The window as the network would have it, in the series' units.
        residual: What each of its values adds to the score: squared residuals, 0 or more.
    """

    first: int
    expected: Float[np.ndarray, "length channels"]
    residual: Float[np.ndarray, "length channels"]

    @property
    def channel(self) -> int:
        """The channel that adds most, over the window."""
        return int(self.residual.sum(axis=0).argmax())

    @property
    def row(self) -> int:
        """The row, counted from the start of the series, at which that channel adds most."""
        return self.first + int(self.residual[:, self.channel].argmax())


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WindowedDetector:
    """A network with the scales of the series whose start it learned.

    Attributes:
        network: Rebuilds windows.
        length: Rows of a window.
        mean: Of the probation's rows, by channel.
        deviation: Of the same, above 0.
        centre: Mean error of the windows that standardise.
        spread: Standard deviation of the same, above 0.
    """

    network: Reconstructor
    length: int
    mean: Float[np.ndarray, " channels"]
    deviation: Float[np.ndarray, " channels"]
    centre: float
    spread: float

    def score(self, values: Rows) -> Float[np.ndarray, " rows"]:
        """Standardised error of the window that ends at each row; 0 where none has ended yet.

        Raises:
            BadInput: other channels than it was fitted on, or a value is not finite.
        """
        scores = np.zeros(len(values))
        if len(values) >= self.length:
            error = errors(self.network, cut(self._scaled(values), length=self.length))
            scores[self.length - 1 :] = (error - self.centre) / self.spread
        return scores

    def explain(self, values: Rows, *, row: int) -> Explanation:
        """Which channel and which row of the window that ends at `row` add to its score.

        Raises:
            BadInput: no window ends there, other channels than it was fitted on, or a value is not finite.
        """
        if not self.length - 1 <= row < len(values):
            raise BadInput(f"row: expected {self.length - 1} to {len(values) - 1}, where a window ends, got {row}")
        first = row - self.length + 1
        window = cut(self._scaled(values[first : row + 1]), length=self.length)
        with torch.no_grad():
            expected, residual = (part[0].double().numpy() for part in self._parts(window))
        return Explanation(first, expected * self.deviation + self.mean, residual**2)

    def _parts(self, window: Windows) -> tuple[Windows, Windows]:
        return self.network.reconstruct(window), self.network.residuals(window)

    def _scaled(self, values: Rows) -> Rows:
        if values.shape[1] != len(self.mean):
            raise BadInput(f"values: expected {len(self.mean)} channels, as fitted, got {values.shape[1]}")
        require_finite(values)
        return (values - self.mean) / self.deviation


def cut(values: Rows, *, length: int) -> Windows:
    """Every window of `length` rows, in the order of their ends."""
    views = np.lib.stride_tricks.sliding_window_view(values, length, axis=0).transpose(0, 2, 1)
    return torch.from_numpy(np.ascontiguousarray(views, dtype=np.float32))


def errors(network: Reconstructor, windows: Windows) -> Float[np.ndarray, " n"]:
    """Mean squared residual of each window."""
    with torch.no_grad():
        blocks = [network.residuals(some).square().mean(dim=(1, 2)) for some in windows.split(4096)]
    return torch.cat(blocks).double().numpy()


def fit(values: Rows, *, num_normal: int, length: int, train: Callable[[Windows], Reconstructor]) -> WindowedDetector:
    """A detector for the series that begins with these rows.

    Args:
        values: The series; only its first `num_normal` rows are looked at.
        num_normal: Rows of the probation.
        length: Rows of a window.
        train: Makes a network from windows.

    Raises:
        BadInput: the probation holds fewer than eight windows, or a value is not finite.
    """
    normal = values[:num_normal]
    if not 2 <= length <= len(normal) - 7:
        raise BadInput(f"length: expected 2 to {len(normal) - 7}, for eight windows of the probation, got {length}")
    require_finite(normal)
    deviation = normal.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    mean = normal.mean(axis=0)
    windows = cut((normal - mean) / deviation, length=length)
    num_learned = int(LEARNED_RATE * len(windows))
    network = train(windows[:num_learned])
    left = errors(network, windows[num_learned:])
    return WindowedDetector(
        network=network,
        length=length,
        mean=mean,
        deviation=deviation,
        centre=float(left.mean()),
        spread=max(float(left.std()), LEAST_SPREAD),
    )
