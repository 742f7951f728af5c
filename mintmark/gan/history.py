"""What a training looked like, as a table of few rows: each the mean of the steps since the row before.

Knows nothing of files. Its rows are plain numbers, so that a checkpoint can carry them.
"""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float64

from mintmark.gan.training import Step

COLUMNS = (
    "step",
    "generator_loss",
    "discriminator_loss",
    "real_logit",
    "fake_logit",
    "penalty",
    "augmentation_probability",
    "train_logit",
    "validation_logit",
)


def summarise(
    steps: Iterable[Step], *, train_logit: float, validation_logit: float
) -> Float64[torch.Tensor, " columns"]:
    """One row in the order of `COLUMNS`: the last step's number, and means over the steps.

    Args:
        steps: The steps since the last row; at least one.
        train_logit: Mean output of the discriminator on training images as they are, after the last step.
        validation_logit: The same on validation images, NaN where there are none. If training images score ever higher,
            they are learnt by heart.
    """
    taken = list(steps)
    numbers = [
        (
            step.generator_loss,
            step.discriminator_loss,
            step.real_logit,
            step.fake_logit,
            step.penalty,
            step.probability,
        )
        for step in taken
    ]
    means = torch.tensor(numbers, dtype=torch.float64).mean(dim=0)
    number = torch.tensor([taken[-1].number], dtype=torch.float64)
    logits = torch.tensor([train_logit, validation_logit], dtype=torch.float64)
    return torch.cat([number, means, logits])


def as_csv(rows: Float64[torch.Tensor, "rows columns"]) -> str:
    """The table as text, one line a row under a header: six significant digits, nothing where a value is not a number."""
    lines = [",".join(COLUMNS)]
    for number, *values in rows.tolist():
        lines.append(",".join([str(int(number)), *("" if math.isnan(one) else f"{one:.6g}" for one in values)]))
    return "\n".join(lines) + "\n"
