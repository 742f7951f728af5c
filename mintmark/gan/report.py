"""The report of one training: what it learnt from, which signs of failure it shows, what it took. Knows no file."""

import numpy as np

from mintmark.data.images import ImageSet
from mintmark.devices import pick_precision
from mintmark.differential.accountant import Spending
from mintmark.evidence import Measurement, Report
from mintmark.gan.config import Config
from mintmark.gan.cost import step_flops
from mintmark.gan.signs import Signs
from mintmark.gan.state import State


def training_report(
    recipe: Config,
    state: State,
    train_set: ImageSet,
    signs: list[Signs],
    spent: Spending | None,
    *,
    guessed: int,
    left_out: int,
) -> Report:
    """What one training has to say.

    Args:
        recipe: Of the training.
        state: At its end.
        train_set: What it learnt from.
        signs: Of memory, collapse and divergence.
        spent: What private training spent; None for the usual training.
        guessed: Records whose class others guessed.
        left_out: Records without a class.
    """
    train_counts = np.bincount(train_set.codes, minlength=len(train_set.classes)).tolist()
    flops = step_flops(train_set.shape, num_classes=len(train_set.classes), config=recipe)
    return Report(
        stage="train_gan",
        measurements=(
            *([] if spent is None else [spent.measurement(num_records=len(train_set))]),
            *(measurement for one in signs for measurement in one.measurements),
            Measurement(
                name="unlabelled_left_out",
                value=float(left_out),
                unit="count",
                n=len(train_set) + left_out,
                note="Training records without a label, which this generator does not learn from.",
            ),
            Measurement(
                name="pseudo_labelled",
                value=float(guessed),
                unit="count",
                n=len(train_set) + left_out,
                note="Training records without a label, which this generator learns from by the class that models gave them.",
            ),
        ),
        headline=(*([] if spent is None else ["epsilon"]), "train_validation_logit_auc", "validation_coverage"),
        facts={
            "findings": [sentence for one in signs for sentence in one.findings],
            "train_records": dict(zip(train_set.classes, train_counts, strict=True)),
            "precision": _precision(recipe, state),
            "parameters": {
                "generator": sum(one.numel() for one in state.generator.parameters()),
                "discriminator": sum(one.numel() for one in state.discriminator.parameters()),
            },
        },
        cost={"steps": float(state.step), "training_flops_without_penalty": float(flops * state.step)},
    )


def _precision(recipe: Config, state: State) -> str:
    """What "auto" came to."""
    height, width, _ = state.generator.shape
    device = next(state.discriminator.parameters()).device
    precision = pick_precision(recipe.precision, device=device, height=height, width=width)
    return str(precision).removeprefix("torch.")
