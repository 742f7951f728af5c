"""What differential privacy costs on the digits: accuracy at epsilon 1, 4, 10 and without noise, by the same recipe.

A generator whose samples alone train a classifier, and a classifier of the real records; each is trained with a few
seeds on 808 digits and asked about 809 others. Recipes were chosen on 180 further digits at epsilon 10.

    python -m bench.privacy_dp            three seeds
    python -m bench.privacy_dp --quick    two steps: proves that it runs
"""

import sys
from functools import partial
from typing import Annotated, NamedTuple

import numpy as np
import torch
import typer
from sklearn.datasets import load_digits

from bench.reporting import Goal, finish
from mintmark.classify.model import logits
from mintmark.classify.private_training import PrivateRecipe, train_private_classifier
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import to_unit
from mintmark.differential.accountant import Budget, Spending, spending
from mintmark.fan_out import fan_out
from mintmark.gan import private_training
from mintmark.gan.augmentation import NONE
from mintmark.gan.config import Config
from mintmark.gan.sampling import sample
from mintmark.intervals import crossed_mean

EPSILONS = (1.0, 4.0, 10.0, None)  # None: the same recipe, nothing noised and hardly anything cut
DELTA, NUM_TRAIN, NUM_HELD_BACK, NUM_SAMPLES = 1e-4, 808, 180, 1500
SEEDS, WORKERS, BATCH = (1, 2, 3), 2, 256
GAN_STEPS, CLASSIFIER_STEPS = 75, 60
CHANCE = 0.1
GAN = Config(
    loss="non-saturating",
    conditioning="projection",
    classifier_weight=1.0,
    latent_size=64,
    generator_width=16,
    discriminator_width=4,
    batch_size=BATCH,
    generator_learning_rate=2e-3,
    discriminator_learning_rate=2e-3,
    beta1=0.5,
    beta2=0.99,
    r1_weight=0.0,
    r2_weight=0.0,
    lipschitz_weight=0.0,
    penalty_interval=1,
    diversity_weight=0.0,
    augmentation=NONE,
    augmented_below=10000,
    adaptive=None,
    ema_decay=0.99,
    precision="float32",
)
STUDENT = Recipe(steps=200, batch_size=64, learning_rate=0.01, weight_decay=0.01, width=16)


class Digits(NamedTuple):
    """Images in [-1, 1] and codes: to learn from, and to be asked about."""

    train: tuple[torch.Tensor, torch.Tensor]
    test: tuple[torch.Tensor, torch.Tensor]


def digits() -> Digits:
    """Shuffled by a fixed seed; the 180 on which recipes were chosen are left out."""
    pixels, codes = (np.asarray(part) for part in load_digits(return_X_y=True))
    images = to_unit(np.round(pixels.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8))
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(codes)))
    train, test = order[:NUM_TRAIN], order[NUM_TRAIN + NUM_HELD_BACK :]
    labels = torch.from_numpy(codes.astype(np.int64))
    return Digits((images[train], labels[train]), (images[test], labels[test]))


def mechanism(epsilon: float | None, steps: int) -> Spending:
    """The noise for a budget; without one, none, and a cut that no gradient reaches."""
    if epsilon is None:
        return Spending(
            epsilon=float("inf"),
            delta=0.0,
            noise_multiplier=0.0,
            max_grad_norm=1e6,
            sample_rate=BATCH / NUM_TRAIN,
            steps=steps,
        )
    budget = Budget(epsilon=epsilon, delta=DELTA, max_grad_norm=1.0)
    return spending(budget, num_records=NUM_TRAIN, batch_size=BATCH, steps=steps)


def of_samples(epsilon: float | None, seed: int, steps: int) -> np.ndarray:
    """Which test digits a classifier answers rightly that learnt from the generator's samples alone."""
    torch.set_num_threads(1)
    data, spent = digits(), mechanism(epsilon, steps)
    *_, last = private_training.train(*data.train, config=GAN, spending=spent, seed=seed, num_classes=10)
    codes = np.arange(NUM_SAMPLES) % 10
    images = torch.cat(list(sample(last.state.average, codes, seed=seed)))
    network = train_classifier(images, torch.from_numpy(codes), num_classes=10, recipe=STUDENT, seed=seed)
    return (logits(network, data.test[0]).argmax(1) == data.test[1]).double().numpy()


def of_records(epsilon: float | None, seed: int, steps: int) -> np.ndarray:
    """Which test digits a classifier answers rightly that learnt from the real records."""
    torch.set_num_threads(1)
    data, spent = digits(), mechanism(epsilon, steps)
    budget = Budget(epsilon=epsilon or 1.0, delta=DELTA, max_grad_norm=spent.max_grad_norm)
    recipe = PrivateRecipe(budget=budget, steps=steps, batch_size=BATCH, learning_rate=0.01, width=8)
    network = train_private_classifier(*data.train, num_classes=10, recipe=recipe, spent=spent, seed=seed)
    return (logits(network, data.test[0]).argmax(1) == data.test[1]).double().numpy()


def main(*, quick: Annotated[bool, typer.Option(help="Two steps: proves that it runs.")] = False) -> None:
    """Train everything with every seed, and print accuracies with their intervals."""
    jobs = [
        (kind, epsilon, seed) for seed in SEEDS for kind in ("synthetic only", "real records") for epsilon in EPSILONS
    ]
    steps = {"synthetic only": 2 if quick else GAN_STEPS, "real records": 2 if quick else CLASSIFIER_STEPS}
    learners = {"synthetic only": of_samples, "real records": of_records}
    done = fan_out(
        (partial(learners[kind], epsilon, seed, steps[kind]) for kind, epsilon, seed in jobs), workers=WORKERS
    )
    found: dict[tuple[str, float | None], list[np.ndarray]] = {}
    for (kind, epsilon, seed), right in zip(jobs, done, strict=True):
        print(f"{kind}, epsilon {epsilon}, seed {seed}: {right.mean():.3f}", file=sys.stderr, flush=True)
        found.setdefault((kind, epsilon), []).append(right)
    goals = []
    for (kind, epsilon), rows in sorted(found.items(), key=lambda one: (one[0][0], one[0][1] or np.inf)):
        mean = crossed_mean(np.stack(rows), lowest=0.0, highest=1.0)
        name = f"{kind}, {'no noise' if epsilon is None else f'epsilon {epsilon:g}'}"
        goals.append(
            Goal(
                name=name,
                value=mean.value,
                low=mean.low,
                high=mean.high,
                unit="accuracy",
                goal=CHANCE,
                met=mean.low > CHANCE,
                sense=">=",
            )
        )
    finish("privacy_dp", goals, {"quick": quick, "delta": DELTA, "seeds": len(SEEDS), "steps": steps})


if __name__ == "__main__":
    typer.run(main)
