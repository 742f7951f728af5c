"""How much stronger are likelihood ratios? A perceptron that knows its garments by heart, every model in turn the target.

Each model learns a random half of a pool. Every target is attacked with others as its shadows, never with itself or
with the twin of its coins. Rare false alarms need many non-members, so targets are pooled: thresholds are frozen on one
half of the targets and measured on the other, both ways round. Intervals resample targets and, within each, records.
"""

from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from bench.idx import read
from bench.reporting import Goal, at_least
from mintmark.classify.model import logits
from mintmark.classify.networks import Classifier
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet
from mintmark.fan_out import fan_out
from mintmark.intervals import auc, mean
from mintmark.privacy.classifier import ShadowAnswers, class_confidence_scores, shadow_scores
from mintmark.privacy.likelihood import (
    lira_scores,
    offline_lira_scores,
    rmia_scores,
    shrunk_lira_scores,
)
from mintmark.privacy.queries import Answers, ask, confidence_scores
from mintmark.privacy.rates import Scores, freeze
from mintmark.privacy.shadows import Shadows
from mintmark.progress import track
from mintmark.shadow.coins import toss

FPRS = (0.001, 0.01)
RESAMPLES = 1000


class Sizes(NamedTuple):
    """Records in the pool, models, shadows of the strong and of the cheap attacks, steps."""

    pool: int
    models: int
    shadows: int
    few: int
    steps: int


class Trained(NamedTuple):
    """What one model answers to the pool and to the attacker's reference, and how well it does on members and others."""

    probabilities: np.ndarray
    answers: Answers
    to_reference: np.ndarray
    accuracy: tuple[float, float]


class Field(NamedTuple):
    """All models, their answers as shadows of one another, and the classes of the pool and of the reference."""

    models: list[Trained]
    whole: ShadowAnswers
    codes: np.ndarray
    reference_codes: np.ndarray


class Perceptron(Classifier):
    """784-128-128-10, or as the images are."""

    def __init__(self, shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__(shape, num_classes)
        widths = (int(np.prod(shape)), 128, 128)
        layers = [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]
        self.layers = nn.Sequential(nn.Flatten(), *layers, nn.Linear(widths[-1], num_classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits."""
        return self.layers(images)


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """AUC and rates of every attack over all targets."""
    sizes = Sizes(200, 8, 4, 2, 20) if quick else Sizes(2000, 40, 32, 4, 600)
    field = prepare(data, sizes, workers=workers)
    targets = [attack(place, field, sizes=sizes) for place in range(sizes.models)]
    gap = mean(np.array([100 * (model.accuracy[0] - model.accuracy[1]) for model in field.models]))
    table = {name: summarise([target[name] for target in targets]) for name in targets[0]}
    return _goals(table, gap, sizes), {"table": table, "models": sizes.models, "pool": sizes.pool}


def prepare(data: Path, sizes: Sizes, *, workers: int) -> Field:
    """Train all models, each on its half of the pool."""
    everything = read(data / "fashion-mnist", "train")
    rows = np.random.default_rng(11).permutation(len(everything))
    pool, reference = (everything.take(part) for part in np.split(rows[: 2 * sizes.pool], 2))
    trained_on = toss(pool.codes, num=sizes.models, seed=0)
    jobs = [partial(_train, pool, reference, mask, sizes, seed) for seed, mask in enumerate(trained_on)]
    models = list(track(fan_out(jobs, workers=workers), "perceptrons", total=len(jobs)))
    answers = zip(*(model.answers for model in models), strict=True)
    whole = ShadowAnswers(*(Shadows(np.stack(part), trained_on) for part in answers))
    return Field(models, whole, pool.codes, reference.codes)


def _goals(table: dict[str, dict[str, list[float]]], gap: Any, sizes: Sizes) -> list[Goal]:
    lira, plain = table["lira"]["tpr at 0.1% fpr"], table["confidence"]["tpr at 0.1% fpr"]
    ratio = lira[0] / max(plain[0], 1e-6)
    ends = lira[1] / max(plain[2], 1e-6), lira[2] / max(plain[1], 1e-6)
    apart = lira[1] - plain[2]
    rmia, strong = table["rmia of few"]["auc"], table["lira"]["auc"]
    return [
        at_least(15.0, "gap between training and test accuracy", gap.value, (gap.low, gap.high), unit="points"),
        at_least(5.0, f"TPR at 0.1% FPR: LiRA of {sizes.shadows} over confidence", ratio, ends, unit="times"),
        at_least(
            0.0, "low end of LiRA's TPR less high end of confidence's", apart, (apart, lira[2] - plain[1]), unit=""
        ),
        at_least(strong[1], f"AUC: RMIA of {sizes.few} against LiRA's low end", rmia[0], (rmia[1], rmia[2]), unit=""),
    ]


def _train(pool: ImageSet, reference: ImageSet, mask: np.ndarray, sizes: Sizes, seed: int) -> Trained:
    torch.set_num_threads(1)
    recipe = Recipe(steps=sizes.steps, batch_size=50, learning_rate=2e-3, weight_decay=0.0, width=1)
    make = partial(Perceptron, pool.shape, len(pool.classes))
    images, codes = pool.tensors()
    network = train_classifier(images[mask], codes[mask], num_classes=10, recipe=recipe, seed=seed, make=make)
    answers = logits(network, images)
    right = (answers.argmax(dim=1) == codes).numpy()
    return Trained(
        probabilities=answers.softmax(dim=1).numpy(),
        answers=ask(network, images, pool.codes),
        to_reference=confidence_scores(network, reference.tensors()[0], reference.codes),
        accuracy=(float(right[mask].mean()), float(right[~mask].mean())),
    )


def shadows_of(place: int, num_models: int) -> np.ndarray:
    """All models but one and the twin of its coins."""
    return np.array([row for row in range(num_models) if row not in {place, place ^ 1}])


def attack(place: int, field: Field, *, sizes: Sizes) -> dict[str, Scores]:
    """Every attack on one target."""
    models, whole, others = field.models, field.whole, shadows_of(place, sizes.models)
    many, few = (
        ShadowAnswers(*(Shadows(part.answers[rows], part.trained_on[rows]) for part in whole))
        for rows in (others[: sizes.shadows], others[: sizes.few])
    )
    asked, likelihoods = models[place].answers
    found = {
        "confidence": asked,
        "class confidence": class_confidence_scores(
            asked,
            field.codes,
            reference_confidences=models[place].to_reference,
            reference_codes=field.reference_codes,
            min_class_records=2,
        ),
        "shadow": shadow_scores(asked, many.confidences),
        "lira": lira_scores(asked, many.confidences),
        "lira shrunk": shrunk_lira_scores(asked, many.confidences),
        "lira offline": offline_lira_scores(asked, many.confidences),
        "rmia": rmia_scores(likelihoods, many.log_likelihoods),
        "lira of few": lira_scores(asked, few.confidences),
        "rmia of few": rmia_scores(likelihoods, few.log_likelihoods),
    }
    members = whole.confidences.trained_on[place]
    return {name: Scores(one[members], one[~members]) for name, one in found.items() if one is not None}


def summarise(targets: list[Scores]) -> dict[str, list[float]]:
    """Value and interval of the AUC (mean over targets) and of the rates, with the targets' spread of the AUC."""
    rng = np.random.default_rng(0)
    drawn = [_figures(targets)]
    for _ in range(RESAMPLES if len(targets) > 10 else 20):
        again = [targets[place] for place in rng.integers(0, len(targets), len(targets))]
        drawn.append(_figures([Scores(*(rng.choice(side, len(side)) for side in target)) for target in again]))
    low, high = np.quantile(np.array(drawn[1:]), [0.025, 0.975], axis=0)
    names = ["auc", *(f"tpr at {100 * fpr:g}% fpr" for fpr in FPRS)]
    found = {name: [*map(float, ends)] for name, *ends in zip(names, drawn[0], low, high, strict=True)}
    found["auc of targets"] = [float(end(auc(*target) for target in targets)) for end in (min, max)]
    return found


def _figures(targets: list[Scores]) -> list[float]:
    """The mean AUC; and per rate the TPR at thresholds frozen on the other half of the targets."""
    halves = targets[::2], targets[1::2]
    rates = [np.mean([_rate(one, other, fpr) for one, other in (halves, halves[::-1])]) for fpr in FPRS]
    return [float(np.mean([auc(*target) for target in targets])), *map(float, rates)]


def _rate(calibrating: list[Scores], measured: list[Scores], fpr: float) -> float:
    threshold = freeze(np.concatenate([target.non_members for target in calibrating]), fpr=fpr)
    if threshold is None:
        return 0.0
    return float((np.concatenate([target.members for target in measured]) > threshold).mean())
