"""Releases of which the leak is known: a share of the members replayed, verbatim or just past the filter; or none.

Nothing is trained in a run. Every run tosses the coins of 10,000 garments anew, 5,000 members and as many others, and
draws a base release of mixtures of records that nobody attacks, so that without a plant nothing can leak. The audit's
own detection judges its distance attacks together.
"""

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.idx import read
from bench.reporting import Goal, at_least, at_most
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.fan_out import fan_out
from mintmark.fidelity.copies import calibrated_filter, pixels
from mintmark.intervals import proportion
from mintmark.neighbours import nearest
from mintmark.privacy.detection import detect
from mintmark.privacy.rates import Scores
from mintmark.privacy.replay import plant_copies, plant_near_copies
from mintmark.privacy.samples import SMALLEST_DISTANCE, neighbourhood_scores, release_density
from mintmark.privacy.spaces import Spaces, open_spaces
from mintmark.privacy.strangers import mixtures
from mintmark.progress import track

VERBATIM = (0.001, 0.01, 0.1)
PERTURBED = 0.03
NOTHING = "nothing"
FPR, LEVEL = 0.01, 0.05
RECIPE = Recipe(steps=400, batch_size=64, learning_rate=2e-3, weight_decay=1e-4, width=8)


class Sizes(NamedTuple):
    """How much is run: records of each sort, released ones, runs with leaks, and runs with none."""

    members: int
    others: int
    release: int
    runs: int
    sound_runs: int


class World(NamedTuple):
    """What all runs share: records under attack, and what the attacker made of records of their own.

    Attributes:
        pool: Whose coins are tossed.
        bystanders: Of whom base releases are mixtures.
        spaces: Of the attacker.
        to_reference: Distances of the pool to the attacker's nearest record, in pixels and in features.
        reference_density: The logarithm of the density of the attacker's records at each of the pool.
    """

    pool: ImageSet
    bystanders: ImageSet
    spaces: Spaces
    to_reference: tuple[np.ndarray, np.ndarray]
    reference_density: np.ndarray


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """How often each leak is detected, and how often none is where there is none."""
    sizes = Sizes(150, 150, 100, 3, 4) if quick else Sizes(5000, 5000, 600, 200, 1000)
    recipe = replace(RECIPE, steps=5) if quick else RECIPE
    world = _world(data / "fashion-mnist", sizes, recipe)
    jobs = [partial(run, world, sizes, seed) for seed in range(sizes.runs)]
    found = list(track(fan_out(jobs, workers=workers), "known-leaks", total=len(jobs)))
    sound = [partial(run_sound, world, sizes, seed) for seed in range(sizes.runs, sizes.sound_runs)]
    alarms = [one[NOTHING] for one in found]
    alarms += track(fan_out(sound, workers=workers), "no-leak", total=len(sound))
    goals, details = [], {}
    for plant in found[0]:
        named = alarms if plant == NOTHING else [one[plant] for one in found]
        hits = sum(one is not None for one in named)
        rate = proportion(hits, len(named))
        ends = (100 * rate.low, 100 * rate.high)
        details[plant] = {"detected": hits, "runs": len(named), "by": dict(Counter(named))}
        name = f"{plant} replayed: detected in {len(named)} runs"
        if plant == NOTHING:
            goals.append(at_most(5.0, name, [ends[0], 100 * rate.value, ends[1]], unit="%"))
        elif plant in {_name(0.01, "verbatim"), _name(PERTURBED, "perturbed")}:
            goals.append(at_least(90.0, name, 100 * rate.value, ends, unit="%"))
        else:
            details[plant]["percent"] = [100 * rate.value, *ends]
    return goals, details


def run(world: World, sizes: Sizes, seed: int) -> dict[str, str | None]:
    """One run: the attack that detected each plant, if one did."""
    rng, order, base = _drawn(world, sizes, seed)
    members = world.pool.take(order[: sizes.members])
    plants = {NOTHING: base.take(np.zeros(0, np.int64))}
    for share in VERBATIM:
        plants[_name(share, "verbatim")] = _planted(plant_copies(base, members, share=share, rng=rng).release, base)
    copy_filter = calibrated_filter(members, quantile=0.01, min_class_records=5)
    near = plant_near_copies(base, members, share=PERTURBED, copy_filter=copy_filter, rng=rng)
    plants[_name(PERTURBED, "perturbed")] = _planted(near.release, base)
    return _judged(world, order, sizes, base, plants)


def run_sound(world: World, sizes: Sizes, seed: int) -> str | None:
    """One run without a plant: the attack that raised a false alarm, if one did."""
    _, order, base = _drawn(world, sizes, seed)
    return _judged(world, order, sizes, base, {NOTHING: base.take(np.zeros(0, np.int64))})[NOTHING]


def _drawn(world: World, sizes: Sizes, seed: int) -> tuple[np.random.Generator, np.ndarray, ImageSet]:
    """Coins of the pool, members first, and a base release."""
    torch.set_num_threads(1)
    rng = np.random.default_rng([seed, 60])
    order = rng.permutation(len(world.pool))[: sizes.members + sizes.others]
    return rng, order, mixtures(world.bystanders, num=sizes.release, rng=rng)


def _judged(
    world: World, order: np.ndarray, sizes: Sizes, base: ImageSet, plants: dict[str, ImageSet]
) -> dict[str, str | None]:
    queries, base_rows = pixels(world.pool.images[order]), pixels(base.images)
    views = {"pixels": lambda rows: rows, "features": world.spaces.features}
    seen = {name: view(queries) for name, view in views.items()}
    to_base = {name: _distances(seen[name], view(base_rows)) for name, view in views.items()}
    components = world.spaces.components(queries)
    judged = {}
    for plant, images in plants.items():
        rows = pixels(images.images) if len(images) else base_rows[:0]
        distances = {
            name: np.minimum(to_base[name], _distances(seen[name], view(rows))) if len(rows) else to_base[name]
            for name, view in views.items()
        }
        made = world.spaces.components(torch.cat([base_rows, rows]))
        answers = {
            "nearest": -distances["pixels"],
            "calibrated": _ratio(world.to_reference[0][order], distances["pixels"]),
            "feature": _ratio(world.to_reference[1][order], distances["features"]),
            "neighbourhood": neighbourhood_scores(components, made),
            "density": release_density(components, made) - world.reference_density[order],
        }
        attacks = {name: Scores(one[: sizes.members], one[sizes.members :]) for name, one in answers.items()}
        finding = detect(attacks, fpr=FPR, level=LEVEL)
        judged[plant] = finding.by if finding.detected else None
    return judged


def _world(folder: Path, sizes: Sizes, recipe: Recipe) -> World:
    everything = read(folder, "train")
    rows = np.random.default_rng(7).permutation(len(everything))
    num = sizes.members + sizes.others
    pool, reference, bystanders = (everything.take(part) for part in np.split(rows[: 2 * num], [num, num + num // 4]))
    spaces = open_spaces(reference, recipe=recipe, seed=0)
    queries = pixels(pool.images)
    in_features = spaces.features(queries), spaces.features(spaces.reference)
    density = release_density(spaces.components(queries), spaces.components(spaces.reference))
    return World(pool, bystanders, spaces, (_distances(queries, spaces.reference), _distances(*in_features)), density)


def _distances(queries: torch.Tensor, points: torch.Tensor) -> np.ndarray:
    return nearest(queries, points).distances[:, 0].double().numpy()


def _ratio(to_reference: np.ndarray, to_release: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(to_reference, SMALLEST_DISTANCE)) - np.log(np.maximum(to_release, SMALLEST_DISTANCE))


def _planted(whole: ImageSet, base: ImageSet) -> ImageSet:
    """What was added to the base."""
    return whole.take(np.arange(len(base), len(whole)))


def _name(share: float, kind: str) -> str:
    return f"{100 * share:g}% {kind}"
