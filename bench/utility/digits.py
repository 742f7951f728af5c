"""What unlabelled digits are worth through a semi-supervised GAN, beside controls that see the same images without one.

A student is the downstream classifier, taught by the labels and by a teacher's beliefs about the unlabelled images. All
students, and the classifier without a teacher, take equally many steps of the same batch; all trained teachers take
equally many of theirs. Settings were chosen on other draws, with validation images out of the pool; the test images,
the same in every draw, answer once, after all training.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from bench.reporting import Goal, at_least
from mintmark.classify import training
from mintmark.classify.augmentation import Augmentation
from mintmark.classify.model import logits
from mintmark.classify.networks import Classifier
from mintmark.fan_out import fan_out
from mintmark.progress import track
from mintmark.semi_supervised.model import SemiSupervised, fit_semi_supervised
from mintmark.semi_supervised.propagation import spread_labels
from mintmark.semi_supervised.recipe import Recipe
from mintmark.utility.comparison import accuracy, difference

NUM_CLASSES = 10
NUM_TEST = 697
LABELS_A_CLASS = 3
SPLIT_SEED = 20261127
NUM_DRAWS = 10
SHARE = 0.5  # of a student's batch that unlabelled images take
NEIGHBOURS, ALPHA = 7, 0.9
CONSISTENCY = 10.0  # weight of the agreement with the average
AUGMENTATION = Augmentation(shift=0.08, rotation=10.0, scale=0.1, mixup=0.3)
CLASSIFIER = training.Recipe(
    steps=300, batch_size=64, learning_rate=5e-3, weight_decay=0.02, width=16, augmentation=AUGMENTATION
)
GAN = Recipe(
    form="dense",
    steps=1500,
    latent_size=50,
    generator_width=128,
    discriminator_width=240,
    input_noise=0.3,
    hidden_noise=0.5,
    labelled_batch_size=30,
    batch_size=64,
    learning_rate=2e-3,
    beta1=0.5,
    adversarial_weight=1.0,
    augmentation=replace(AUGMENTATION, mixup=0.0),
    ema_decay=0.998,
    precision="float32",
)
CONFIDENCE = 0.6  # the least averaged belief in a class with which a sure teacher teaches
CHOSEN = "student of what the GAN and label spreading are sure of"  # the best with a GAN on the draws of development
AUGMENTED = "classifier with tuned augmentation"
CONTROLS = (
    "student of the classifier",
    "student of the same network without a GAN",
    "student of that network, consistent",
    "student of label spreading",
    "student of that network and label spreading",
    "student of what that network and label spreading are sure of",
)

Outcome = Float[np.ndarray, "draws records"]


class Draw(NamedTuple):
    """One draw of labels: the pool's images, the few codes (-1: unlabelled), and the test images."""

    images: Float[torch.Tensor, "n 1 8 8"]
    codes: Int64[torch.Tensor, " n"]
    test: Float[torch.Tensor, "m 1 8 8"]


def digits() -> tuple[Float[torch.Tensor, "n 1 8 8"], Int64[np.ndarray, " n"]]:
    """scikit-learn's digits, pixels in [-1, 1], in an order of our own: the first `NUM_TEST` are the test's."""
    pixels, codes = (np.asarray(part) for part in load_digits(return_X_y=True))
    order = np.random.default_rng(SPLIT_SEED).permutation(len(codes))
    images = torch.from_numpy(pixels[order].reshape(-1, 1, 8, 8).astype(np.float32)) / 8 - 1
    return images, codes[order].astype(np.int64)


def draw_labels(seed: int) -> Draw:
    """Three images of each class out of the pool keep their label; all others of the pool lose it."""
    images, codes = digits()
    pool, known = images[NUM_TEST:], codes[NUM_TEST:]
    rng = np.random.default_rng(seed)
    kept = np.concatenate(
        [rng.permutation(np.flatnonzero(known == code))[:LABELS_A_CLASS] for code in range(NUM_CLASSES)]
    )
    few = np.full(len(known), -1)
    few[kept] = known[kept]
    return Draw(pool, torch.from_numpy(few), images[:NUM_TEST])


def answers(draw: Draw, *, seed: int, classifier: training.Recipe, gan: Recipe) -> dict[str, Int64[np.ndarray, " m"]]:
    """What every arm answers to the test images, by name."""
    torch.set_num_threads(1)
    images, codes, test = draw
    fit = partial(fit_semi_supervised, images, codes, num_classes=NUM_CLASSES, seed=seed)
    with_gan, without = fit(recipe=gan), fit(recipe=replace(gan, adversarial_weight=0.0))
    consistent = fit(recipe=replace(gan, adversarial_weight=0.0, consistency_weight=CONSISTENCY))
    alone = training.train_classifier(images, codes, num_classes=NUM_CLASSES, recipe=classifier, seed=seed)
    spread = spread_labels(images.flatten(1), codes, num_classes=NUM_CLASSES, neighbours=NEIGHBOURS, alpha=ALPHA)
    beliefs = {
        "the classifier": logits(alone, images).softmax(dim=1),
        "the same network without a GAN": without.probabilities(images),
        "that network, consistent": consistent.probabilities(images),
        "label spreading": spread,
        "that network and label spreading": (without.probabilities(images) + spread) / 2,
        "the GAN": with_gan.probabilities(images),
        "the GAN and label spreading": (with_gan.probabilities(images) + spread) / 2,
    }
    said = {
        AUGMENTED: logits(alone, test),
        "the same network without a GAN": without.probabilities(test),
        "that network, consistent": consistent.probabilities(test),
        "the GAN's discriminator": with_gan.probabilities(test),
        "logistic regression on the GAN's features": _regression(with_gan, draw),
    }
    for teacher, taught in beliefs.items():
        network = _student(images, codes, taught, classifier, seed)
        said[f"student of {teacher}"] = logits(network, test)
    for teacher in ("that network and label spreading", "the GAN and label spreading"):
        sure = (codes >= 0) | (beliefs[teacher].max(dim=1).values >= CONFIDENCE)
        network = _student(images[sure], codes[sure], beliefs[teacher][sure], classifier, seed)
        said[f"student of what {teacher} are sure of"] = logits(network, test)
    return {name: one.argmax(dim=1).numpy() for name, one in said.items()}


def _student(
    images: Float[torch.Tensor, "n 1 8 8"],
    codes: Int64[torch.Tensor, " n"],
    beliefs: Float[torch.Tensor, "n classes"],
    recipe: training.Recipe,
    seed: int,
) -> Classifier:
    """The classifier taught by the labels where there are any, and by beliefs where there are none."""
    few, many = codes >= 0, codes < 0
    taught = training.Synthetic(images=images[many], labels=beliefs[many], share=SHARE)
    return training.train_classifier(
        images[few], codes[few], num_classes=NUM_CLASSES, recipe=recipe, seed=seed, synthetic=taught
    )


def _regression(model: SemiSupervised, draw: Draw) -> Float[torch.Tensor, "m classes"]:
    """Probabilities of the test images by a regression on features, which sees the few labels alone."""
    labelled = draw.codes >= 0
    regression = LogisticRegression(max_iter=1000)
    regression.fit(model.features(draw.images[labelled]).numpy(), draw.codes[labelled].numpy())
    return torch.from_numpy(regression.predict_proba(model.features(draw.test).numpy()))


def outcomes(seeds: Sequence[int], *, classifier: training.Recipe, gan: Recipe, workers: int) -> dict[str, Outcome]:
    """1 where an arm answers a test image rightly: one row a draw of labels."""
    jobs = [partial(answers, draw_labels(seed), seed=seed, classifier=classifier, gan=gan) for seed in seeds]
    said = list(track(fan_out(jobs, workers=workers), "draws", total=len(jobs)))
    truth = digits()[1][:NUM_TEST]
    return {name: np.stack([(one[name] == truth).astype(float) for one in said]) for name in said[0]}


def judge(found: dict[str, Outcome]) -> tuple[list[Goal], dict[str, Any]]:
    """The goals, in points of accuracy, and every arm beside the classifier with tuned augmentation."""
    gain = difference(found[CHOSEN], found[AUGMENTED])
    rivals = {name: difference(found[CHOSEN], found[name]) for name in CONTROLS}
    best = min(rivals, key=lambda name: rivals[name].value)  # the control that leaves least is the best one
    least = rivals[best]
    ends = (100 * gain.low, 100 * gain.high)
    goals = [
        at_least(4.5, "student beyond tuned augmentation", 100 * gain.value, ends, unit="points"),
        at_least(2.5, "lower end of that gain's 95% interval", 100 * gain.low, ends, unit="points"),
        at_least(
            2.5,
            f"student beyond the best control without a GAN ({best})",
            100 * least.value,
            (100 * min(one.low for one in rivals.values()), 100 * least.high),
            unit="points",
        ),
    ]
    arms = {
        name: {
            "accuracy": 100 * accuracy(one).value,
            "beyond_augmentation": [100 * end for end in difference(one, found[AUGMENTED])[:3]],
            "by_draw": (100 * one.mean(axis=1)).round(2).tolist(),
        }
        for name, one in found.items()
    }
    return goals, arms


def measure(*, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """Ten draws of the labels."""
    seeds = range(2 if quick else NUM_DRAWS)
    classifier, gan = (replace(CLASSIFIER, steps=5), replace(GAN, steps=5)) if quick else (CLASSIFIER, GAN)
    found = outcomes(seeds, classifier=classifier, gan=gan, workers=workers)
    goals, arms = judge(found)
    return goals, {"draws": len(seeds), "chosen": CHOSEN, "arms": arms}
