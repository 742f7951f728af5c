"""How many images a second AnoGAN's batched latent search scores, against one image at a time, on one CPU thread.

Both descend from the same starts by the same steps, so their scores must agree. "One at a time" is a plain loop that
holds the starts of one image alone; the library's own search of a single image is dearer, as it fills up a block so
that scores do not depend on the batch. f-AnoGAN, which answers in one pass, is measured beside; its training is not
counted. Two sizes: MNIST with the networks of the case generators, and the digits, networks and search of params.yaml. The
networks are taught briefly: time does not depend on how well they are.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.datasets import load_digits

from bench.anomaly import detectors
from bench.idx import read
from bench.reporting import Goal, at_least
from bench.utility.generators import default_recipe
from mintmark.anomaly.anogan import AnoGan
from mintmark.anomaly.detector import Detector
from mintmark.anomaly.family import Networks, Recipes, fit_members
from mintmark.data.images import to_unit
from mintmark.gan.training import train
from tasks.detect import Params
from tasks.params import load

GOAL = 10.0
CODE, NORMALS = 3, 500
ROUNDS, TOGETHER, ALONE = 3, 128, 8  # images of each round; together they fill one block
TAUGHT = 50  # steps of the generator
KINDS = ("anogan", "fanogan")


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """The rates of both ways in rounds that take turns, their ratio, and how far their scores differ, at both sizes."""
    del workers  # one thread is what is measured
    torch.set_num_threads(1)
    sizes = {"mnist": _mnist(data, quick=quick), "digits": _digits(quick=quick)}
    goals: list[Goal] = []
    details: dict[str, Any] = {}
    for name, (searcher, encoder, images) in sizes.items():
        found, details[name] = compare(searcher, encoder, images, quick=quick)
        goals += [replace(goal, name=f"{name}: {goal.name}") for goal in found]
    return goals, details


def compare(
    searcher: Detector, encoder: Detector, pool: torch.Tensor, *, quick: bool
) -> tuple[list[Goal], dict[str, Any]]:
    """One size: every round scores other images of the pool."""
    assert isinstance(searcher, AnoGan)
    rng, num_together = np.random.default_rng(0), 16 if quick else TOGETHER
    rates: dict[str, list[float]] = {"batched": [], "alone": [], "single calls": [], "fanogan": []}
    scores: list[tuple[torch.Tensor, torch.Tensor]] = []
    for _ in range(ROUNDS):
        images = pool[rng.permutation(len(pool))[:num_together]]
        few = images[: 2 if quick else ALONE]
        batched = _timed(rates["batched"], searcher.score, images)
        alone = _timed(rates["alone"], lambda some: torch.cat([alone_score(searcher, one[None]) for one in some]), few)
        _timed(rates["single calls"], lambda some: torch.cat([searcher.score(one[None]) for one in some]), few[:2])
        _timed(rates["fanogan"], encoder.score, images)
        scores.append((batched[: len(few)], alone))
    return _summary(rates, scores)


def _mnist(data: Path, *, quick: bool) -> tuple[Detector, Detector, torch.Tensor]:
    """Both detectors of one class, and images to score."""
    taught, test = read(data / "mnist", "train"), read(data / "mnist", "t10k")
    normals = to_unit(taught.images[np.flatnonzero(taught.codes == CODE)[:NORMALS]])
    trained = detectors.networks(normals, steps=2 if quick else TAUGHT, seed=0)
    return *_both(normals, detectors.recipes(quick=quick), trained), to_unit(test.images)


def _digits(*, quick: bool) -> tuple[Detector, Detector, torch.Tensor]:
    """Both detectors of the ten classes of scikit-learn's digits; the second half is to be scored."""
    pixels, labels = (np.asarray(part) for part in load_digits(return_X_y=True))
    normals, judged = torch.from_numpy(pixels / 8 - 1).float().unflatten(1, (1, 8, 8)).chunk(2)
    config = default_recipe(discriminator_width=12).settled((8, 8, 1), num_records=len(normals))
    codes = torch.from_numpy(labels[: len(normals)])
    *_, last = islice(train(normals, codes, config=config, seed=0, num_classes=10), 2 if quick else TAUGHT)
    trained = Networks(generator=last.state.average, discriminator=last.state.discriminator)
    recipes = load("detect", Params).recipes
    return *_both(
        normals, replace(recipes, anogan=detectors.recipes(quick=True).anogan) if quick else recipes, trained
    ), judged


def _both(normals: torch.Tensor, recipes: Recipes, trained: Networks) -> tuple[Detector, Detector]:
    """The search by its recipe, and an encoder of the recipe's width that is hardly taught."""
    brief = replace(recipes.fanogan, training=replace(recipes.fanogan.training, steps=2))
    recipes = replace(recipes, fanogan=brief)
    searcher, encoder = fit_members(KINDS, normals, recipes=recipes, networks=trained, seed=0)
    return searcher, encoder


def alone_score(searcher: AnoGan, image: torch.Tensor) -> torch.Tensor:
    """The lowest loss of one image's starts, searched by themselves: (1, channels, height, width) -> (1,)."""
    weight, norm = searcher.search.feature_weight, searcher.search.norm
    with torch.no_grad():
        features = searcher.discriminator.features(image)
        distances = (1 - weight) * torch.cdist(image.flatten(1), searcher.bank.images, p=norm)
        distances += weight * torch.cdist(features, searcher.bank.features, p=norm)
    starts = distances[0].topk(searcher.search.num_starts, largest=False).indices
    latents, codes = searcher.bank.latents[starts].clone().requires_grad_(), searcher.bank.codes[starts]
    adam = torch.optim.Adam([latents], lr=searcher.search.learning_rate)
    lowest = torch.full((len(starts),), torch.inf)
    for _ in range(searcher.search.num_steps):
        losses = _losses(searcher, latents, codes, image, features)
        lowest = torch.minimum(lowest, losses.detach())
        (latents.grad,) = torch.autograd.grad(losses.sum(), [latents])
        adam.step()
    with torch.no_grad():
        return torch.minimum(lowest, _losses(searcher, latents, codes, image, features)).min()[None]


def _losses(
    searcher: AnoGan, latents: torch.Tensor, codes: torch.Tensor, image: torch.Tensor, features: torch.Tensor
) -> torch.Tensor:
    """Equation 5 of Schlegl et al. 2017."""
    generated, weight, norm = searcher.generator(latents, codes), searcher.search.feature_weight, searcher.search.norm
    residual = (image - generated).flatten(1).norm(p=norm, dim=1)
    mismatch = (features - searcher.discriminator.features(generated)).norm(p=norm, dim=1)
    return (1 - weight) * residual + weight * mismatch


def _timed(rates: list[float], score: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """The scores; the processor's images a second are noted, which other processes disturb little."""
    start = time.process_time()
    scores = score(images)
    rates.append(len(images) / (time.process_time() - start))
    return scores


def _summary(
    rates: dict[str, list[float]], scores: list[tuple[torch.Tensor, torch.Tensor]]
) -> tuple[list[Goal], dict[str, Any]]:
    batched, alone = (torch.cat([pair[side] for pair in scores]) for side in range(2))
    goals = [
        _ratio(f"{mine} faster than {theirs}", rates[one], rates[other], goal=goal)
        for mine, theirs, one, other, goal in (
            ("AnoGAN batched", "one image at a time", "batched", "alone", GOAL),
            ("f-AnoGAN", "AnoGAN batched", "fanogan", "batched", 1.0),
        )
    ]
    apart = ((batched - alone).abs() / alone).double()
    details = {
        "ratio to single calls of the library": float(np.median(np.divide(rates["batched"], rates["single calls"]))),
        "relative difference of scores": {"median": apart.median().item(), "largest": apart.max().item()},
        "rank correlation of scores": float(spearmanr(batched, alone).statistic),
        "images compared": len(alone),
    }
    return goals, details


def _ratio(name: str, mine: list[float], theirs: list[float], *, goal: float) -> Goal:
    """The median ratio of the rounds, and their range."""
    ratios = np.divide(mine, theirs)
    ends = float(ratios.min()), float(ratios.max())
    return at_least(goal, name, float(np.median(ratios)), ends, unit="times")
