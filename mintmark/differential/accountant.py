"""How much noise a privacy budget demands, and what a training with that noise has spent.

The mechanism is DP-SGD with Poisson sampling (Abadi et al. 2016): neighbouring data sets differ by one record that is
there or not; how many records and which classes there are is taken as public. Opacus' Renyi accountant (Mironov 2017,
Mironov, Talwar and Zhang 2019) gives an upper bound, somewhat above the numerical one. Knows no gradient.
"""

import warnings
from dataclasses import asdict, dataclass
from typing import Any

from mintmark.evidence import Measurement

TOLERANCE = 0.001  # of the target epsilon, by which the spent one may stay below it
ORDERS = (*(1 + tenth / 10 for tenth in range(1, 100)), *range(11, 64), 80, 96, 128, 192, 256, 512)


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What may be spent on one training.

    Attributes:
        epsilon: At most.
        delta: Probability with which epsilon may not hold; well below one over the number of records.
        max_grad_norm: To which length the gradient of each record is cut.
    """

    epsilon: float
    delta: float
    max_grad_norm: float

    def __post_init__(self) -> None:
        for key in ("epsilon", "max_grad_norm"):
            if not getattr(self, key) > 0:
                raise ValueError(f"{key} must be above 0, got {getattr(self, key)}")
        if not 0 < self.delta < 1:
            raise ValueError(f"delta must lie between 0 and 1, got {self.delta}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """What a training spends, and by which mechanism.

    Attributes:
        epsilon, delta: The guarantee for each record.
        noise_multiplier: Standard deviation of the noise in units of `max_grad_norm`.
        max_grad_norm: Bound on the gradient of one record.
        sample_rate: Probability with which a record enters a step, independently of all others.
        steps: How many steps look at records.
    """

    epsilon: float
    delta: float
    noise_multiplier: float
    max_grad_norm: float
    sample_rate: float
    steps: int

    def as_json(self) -> dict[str, Any]:
        """For the metadata of weights."""
        return asdict(self)

    def measurement(self, *, num_records: int) -> Measurement:
        """Epsilon for a report. It is computed, not estimated, hence without an interval."""
        return Measurement(
            name="epsilon",
            value=self.epsilon,
            unit="epsilon",
            n=num_records,
            note=f"Whether or not one record was trained on changes the odds of anything about these weights by a factor of "
            f"at most e to this number, but for a chance of {self.delta:g}.",
        )


def spending(budget: Budget, *, num_records: int, batch_size: int, steps: int) -> Spending:
    """The least noise, within `TOLERANCE`, with which so many steps keep the budget.

    Args:
        budget: Epsilon, delta and the bound on each gradient.
        num_records: Training records.
        batch_size: Records that a step sees on average.
        steps: Of the whole training.

    Raises:
        ValueError: delta is no smaller than one over the number of records, or no noise is enough.
    """
    from opacus.accountants.utils import get_noise_multiplier

    if budget.delta >= 1 / num_records:
        raise ValueError(
            f"privacy.delta must be below 1/{num_records}, one over the number of records, got {budget.delta}; with more, "
            "publishing whole records would count as private"
        )
    rate = min(1.0, batch_size / num_records)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Optimal order is the")  # at either end it is loose, never wrong
        noise = get_noise_multiplier(
            target_epsilon=budget.epsilon,
            target_delta=budget.delta,
            sample_rate=rate,
            steps=steps,
            accountant="rdp",
            epsilon_tolerance=TOLERANCE * budget.epsilon,
            alphas=list(ORDERS),
        )
    return Spending(
        epsilon=spent(noise_multiplier=noise, sample_rate=rate, steps=steps, delta=budget.delta),
        delta=budget.delta,
        noise_multiplier=noise,
        max_grad_norm=budget.max_grad_norm,
        sample_rate=rate,
        steps=steps,
    )


def spent(*, noise_multiplier: float, sample_rate: float, steps: int, delta: float) -> float:
    """Epsilon, at most, after so many steps: the Renyi accountant's."""
    from opacus.accountants import RDPAccountant

    accountant = RDPAccountant()
    accountant.history = [(noise_multiplier, sample_rate, steps)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Optimal order is the")
        return float(accountant.get_epsilon(delta=delta, alphas=list(ORDERS)))
