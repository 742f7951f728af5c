"""How many images a second AnoGAN's batched latent search scores, against one image at a time, on one CPU thread.

Both descend from the same starts by the same steps, so their scores must agree. "One at a time" is a plain loop that
holds the starts of one image alone; the library's own search of a single image is dearer, as it fills up a block so
that scores do not depend on the batch. f-AnoGAN, which answers in one pass, is measured beside; its training is not
counted. The networks are those of the case one_class, taught briefly: time does not depend on how well they are.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from bench.anomaly import detectors
from bench.anomaly.detectors import FULL, QUICK
from bench.idx import read
from bench.reporting import Goal, at_least
from mintmark.anomaly.anogan import AnoGan
from mintmark.data.images import to_unit

GOAL = 10.0
CODE, NORMALS = 3, 500
ROUNDS, TOGETHER, ALONE = 3, 48, 8  # images of each round
TAUGHT = 50  # steps of the generator and of the encoder


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """The rates of both ways in rounds that take turns, their ratio, and how far their scores differ."""
    del workers  # one thread is what is measured
    torch.set_num_threads(1)
    train, test = read(data / "mnist", "train"), read(data / "mnist", "t10k")
    normals = to_unit(train.images[np.flatnonzero(train.codes == CODE)[:NORMALS]])
    lengths = QUICK if quick else replace(FULL, gan=TAUGHT, encoder=TAUGHT)
    searcher, encoder = (detectors.fit(kind, normals, lengths=lengths, seed=0) for kind in ("anogan", "fanogan"))
    assert isinstance(searcher, AnoGan)
    rng, num_together = np.random.default_rng(0), 16 if quick else TOGETHER
    rates: dict[str, list[float]] = {"batched": [], "alone": [], "single calls": [], "fanogan": []}
    scores: list[tuple[torch.Tensor, torch.Tensor]] = []
    for _ in range(ROUNDS):
        images = to_unit(test.images[rng.permutation(len(test))[:num_together]])
        few = images[: 2 if quick else ALONE]
        batched = _timed(rates["batched"], searcher.score, images)
        alone = _timed(rates["alone"], lambda some: torch.cat([alone_score(searcher, one[None]) for one in some]), few)
        _timed(rates["single calls"], lambda some: torch.cat([searcher.score(one[None]) for one in some]), few[:2])
        _timed(rates["fanogan"], encoder.score, images)
        scores.append((batched[: len(few)], alone))
    return _summary(rates, scores)


def alone_score(searcher: AnoGan, image: torch.Tensor) -> torch.Tensor:
    """The lowest loss of one image's starts, searched by themselves: (1, channels, height, width) -> (1,)."""
    weight = searcher.search.feature_weight
    with torch.no_grad():
        features = searcher.discriminator.features(image)
        distances = (1 - weight) * torch.cdist(image.flatten(1), searcher.bank.images, p=1)
        distances += weight * torch.cdist(features, searcher.bank.features, p=1)
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
    generated, weight = searcher.generator(latents, codes), searcher.search.feature_weight
    residual = (image - generated).abs().flatten(1).sum(dim=1)
    mismatch = (features - searcher.discriminator.features(generated)).abs().sum(dim=1)
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
