"""Is the contest right where the answer is known? Three truths, each judged many times by the verdict that users get.

helps   real records that pose as synthetic, where sixty were all there was
copies  the training set once more: it adds nothing and takes nothing
hurts   real records whose labels were shuffled

`retrained`: every run draws records, seeds and test anew and trains everything. `redrawn`: networks are trained once, and
each run draws its seeds out of the trained ones and its test records out of a large set. How large the true difference
is, all trained networks on all records of that set tell, independently of any verdict.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits

from bench.reporting import Goal, at_least
from bench.utility.contests import HARD, Rules, contest, judged, points
from mintmark.classify.augmentation import PLAIN
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.fan_out import fan_out
from mintmark.intervals import proportion
from mintmark.progress import track
from mintmark.utility.arms import MIXED_ARMS, Material
from mintmark.utility.choices import Choices, Score, score
from mintmark.utility.comparison import difference
from mintmark.utility.contest import Contest, Plan, Settled, hold, outcome

ROUNDS, REDRAWS = 60, 200
POOL_SEEDS, NUM_SEEDS, NUM_TEST = 30, 5, 400
MARGIN = 0.01
RECIPE = Recipe(steps=60, batch_size=32, learning_rate=0.01, weight_decay=0.01, width=8)
RIGHT = {"helps": ("helps",), "copies": ("no evidence", "within margin"), "hurts": ("hurts",)}


class Case(NamedTuple):
    """One draw of a truth."""

    material: Material
    test: ImageSet


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """How much is run."""

    rounds: int
    redraws: int
    pool_seeds: int
    recipe: Recipe


def measure(*, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """The share judged rightly, for each truth and both kinds of run."""
    full = Sizes(rounds=ROUNDS, redraws=REDRAWS, pool_seeds=POOL_SEEDS, recipe=RECIPE)
    sizes = Sizes(rounds=2, redraws=4, pool_seeds=5, recipe=replace(RECIPE, steps=5)) if quick else full
    goals, details = [], {}
    for truth, right in RIGHT.items():
        jobs = [partial(retrained, truth, seed=seed, recipe=sizes.recipe) for seed in range(sizes.rounds)]
        verdicts = list(track(fan_out(jobs, workers=workers), f"{truth}-retrained", total=len(jobs)))
        redraws, size = redrawn(truth, sizes=sizes, workers=workers)
        for kind, found in (("retrained", verdicts), ("redrawn", redraws)):
            hits = sum(verdict in right for verdict in found)
            rate = proportion(hits, len(found))
            name = f"{truth}, {kind}: judged rightly in {len(found)} runs"
            goals.append(at_least(95.0, name, 100 * rate.value, (100 * rate.low, 100 * rate.high), unit="%"))
            details[f"{truth} {kind}"] = dict(Counter(found))
        details[f"{truth} true difference, points"] = size
    return goals, details


def draw(truth: str, *, seed: int, num_test: int | None) -> Case:
    """Records of one run; without a number, all that are left are test records."""
    rng = np.random.default_rng([seed, 7])
    everything = digits()
    rows = rng.permutation(len(everything))
    num_train = 60 if truth == "helps" else 300
    cuts = np.cumsum([num_train, 150, 0 if truth == "copies" else 300])
    train, validation, extra, rest = (everything.take(part) for part in np.split(rows, cuts))
    release = train if truth == "copies" else extra
    if truth == "hurts":
        release = replace(release, codes=rng.permutation(release.codes))
    return Case(Material(train, validation, release), rest if num_test is None else rest.take(np.arange(num_test)))


def retrained(truth: str, *, seed: int, recipe: Recipe) -> str:
    """The verdict of one contest in which all is drawn and trained anew."""
    case = draw(truth, seed=seed, num_test=NUM_TEST)
    rules = Rules(recipe=recipe, num_seeds=NUM_SEEDS, margin=MARGIN)
    return contest(case.material, case.test, rules, seed=seed).verdict


def redrawn(truth: str, *, sizes: Sizes, workers: int) -> tuple[list[str], list[float]]:
    """Verdicts of contests out of networks that are trained once; and the true difference with its interval."""
    material, test = draw(truth, seed=1000, num_test=None)
    rules = Rules(recipe=sizes.recipe, num_seeds=NUM_SEEDS, margin=MARGIN, workers=workers)
    choices = Choices(augmentation=PLAIN, mixtures=dict.fromkeys(MIXED_ARMS, HARD), candidates=())
    plan = Plan(material=material, choices=choices, recipe=sizes.recipe, control_seed=0, crew=rules.crew)
    whole = hold(plan, seeds=np.random.SeedSequence(2000).generate_state(sizes.pool_seeds).tolist())
    outcomes = whole.ask_test(test)
    alone = {name: [score([one], material.validation) for one in whole.networks[name]] for name in whole.scores}
    on_release = outcome(whole.networks["real"], material.release)
    rng = np.random.default_rng(3000)
    verdicts = []
    for _ in range(sizes.redraws):
        seeds = rng.permutation(sizes.pool_seeds)[:NUM_SEEDS]
        records = rng.permutation(len(test))[:NUM_TEST]
        seen = {name: found[np.ix_(seeds, records)] for name, found in outcomes.items()}
        scores = {name: _mean([found[seed] for seed in seeds]) for name, found in alone.items()}
        best = max(MIXED_ARMS, key=lambda arm, scores=scores: scores[arm])
        drawn = Contest(networks={}, scores=scores, synthetic_arm=best, rivals=plan.rivals)
        settled = Settled(contest=drawn, outcomes=seen, looks=rules.looks, look=0, reason="budget spent")
        part = test.take(records)
        verdicts.append(judged(settled, plan, part, on_release=on_release[seeds], margin=MARGIN).verdict)
    return verdicts, points(difference(outcomes[whole.synthetic_arm], outcomes[whole.best_rival]))


def _mean(scores: Sequence[Score]) -> Score:
    return Score(*(float(np.mean([one[place] for one in scores])) for place in range(2)))


def digits() -> ImageSet:
    """scikit-learn's digits, pixels from 0 to 255, in its own order."""
    pixels, codes = load_digits(return_X_y=True)
    images = (np.asarray(pixels).reshape(-1, 8, 8, 1) * 255 / 16).round().astype(np.uint8)
    return ImageSet(
        ids=[str(row) for row in range(len(images))],
        codes=np.asarray(codes, np.int64),
        images=images,
        classes=tuple("0123456789"),
    )
