"""What does a stronger filter cost, and what does it buy? Utility against privacy over the filter's quantile, on digits.

One generator, trained on a part of the digits. At each quantile its samples are filtered as `anonymise` does. Utility is
the accuracy of classifiers taught by what is left, on records that neither they nor the generator saw; privacy is what
distance attacks achieve against others that nobody saw, and the share of the training records that have a near-copy.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.reporting import Goal
from bench.utility.generators import default_recipe, synthesise
from bench.utility.known_answers import digits
from bench.utility.standalone import DIGITS_CLASSIFIER
from mintmark.classify.model import logits
from mintmark.classify.training import train_classifier
from mintmark.data.images import ImageSet
from mintmark.fan_out import fan_out
from mintmark.fidelity.copies import calibrated_filter, near_copies, pixels
from mintmark.fidelity.poses import Poses
from mintmark.intervals import auc_bootstrap, mean, proportion
from mintmark.neighbours import nearest
from mintmark.privacy.parties import Parties
from mintmark.privacy.samples import distance_attacks
from mintmark.privacy.spaces import Spaces, open_spaces
from mintmark.progress import track

QUANTILES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6)
TRAIN, OTHERS, REFERENCE = 700, 500, 200
DRAWN, STEPS, CLASSIFIERS = 3000, 1000, 5
POSES = Poses(shifts=1, flip=False)


class Setting(NamedTuple):
    """What every point of the curve shares."""

    parties: Parties
    validation: ImageSet
    drawn: ImageSet
    spaces: Spaces
    classifiers: int


def measure(*, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """The curve; nothing is held against a goal."""
    everything = digits()
    rows = np.random.default_rng(41).permutation(len(everything))
    cuts = np.cumsum([TRAIN, OTHERS, REFERENCE])
    train, others, reference, validation = (everything.take(part) for part in np.split(rows, cuts))
    steps, drawn = (5, 300) if quick else (STEPS, DRAWN)
    samples = synthesise(train, recipe=default_recipe(discriminator_width=12), steps=steps, num=drawn, seed=0)
    parties = Parties(members=train, non_members=others, reference=reference, bystanders=validation)
    spaces = open_spaces(reference, recipe=DIGITS_CLASSIFIER, seed=0)
    setting = Setting(parties, validation, samples, spaces, 2 if quick else CLASSIFIERS)
    jobs = [partial(point, setting, quantile) for quantile in QUANTILES]
    return [], {"curve": list(track(fan_out(jobs, workers=workers), "filter-strength", total=len(jobs)))}


def point(setting: Setting, quantile: float) -> dict[str, Any]:
    """One strength: what is left, what it teaches, and what it gives away."""
    torch.set_num_threads(1)
    train = setting.parties.members
    copy_filter = calibrated_filter(train, quantile=quantile, min_class_records=30, poses=POSES)
    release = setting.drawn.take(~near_copies(setting.drawn.images, train, copy_filter))
    plain = calibrated_filter(train, quantile=0.05, min_class_records=30)
    near = {
        code: nearest(pixels(train.images[train.codes == code]), pixels(release.images)).distances[:, 0].numpy()
        <= limit
        for code, limit in plain.thresholds.items()
    }
    copied = proportion(int(sum(part.sum() for part in near.values())), len(train))
    attacks = distance_attacks(pixels(release.images), setting.parties, setting.spaces)
    rng = np.random.default_rng(0)
    aucs = {name: list(auc_bootstrap(*setting.parties.split(one), rng=rng)) for name, one in attacks.items()}
    return {
        "quantile": quantile,
        "kept": len(release) / len(setting.drawn),
        "accuracy on validation": list(
            mean(np.array([_taught(setting, release, s) for s in range(setting.classifiers)]))
        ),
        "training records with a sample nearer than 95% of real pairs": list(copied),
        "auc": aucs,
    }


def _taught(setting: Setting, release: ImageSet, seed: int) -> float:
    images, codes = release.tensors()
    network = train_classifier(images, codes, num_classes=10, recipe=DIGITS_CLASSIFIER, seed=seed)
    asked, truth = setting.validation.tensors()
    return float((logits(network, asked).argmax(dim=1) == truth).float().mean())
