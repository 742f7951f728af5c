"""What a fan-out costs on each engine, and whether the cost model of docs/scaling.md foretells it.

seconds = start + rounds * round, with rounds = ceil(fits / workers). Start and round are fitted on one and on four rounds
of the default classifier; the goal is judged on three rounds, which the fit did not see.

    python -m bench.scaling            fits of the default size
    python -m bench.scaling --quick    tiny fits: proves that it runs
"""

import math
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, NamedTuple

import torch
import typer
from joblib.externals.loky import get_reusable_executor
from sklearn.datasets import load_digits

from bench.reporting import at_most, finish
from mintmark.classify.training import Recipe, train_classifier
from mintmark.fan_out import fan_out
from mintmark.progress import track
from tasks.engine import NAME, engine

ENGINES = ("loky", "dask", "ray")
WORKERS = 2
FITTED_ROUNDS, JUDGED_ROUNDS = (1, 4), 3
REPETITIONS = 3
STEPS, QUICK_STEPS = 200, 20


class Cost(NamedTuple):
    """Of one engine: seconds before the first fit begins, and seconds a round of as many fits as workers."""

    start: float
    round: float

    def seconds(self, fits: int, workers: int) -> float:
        """What the model foretells."""
        return self.start + math.ceil(fits / workers) * self.round


def fit(seed: int, steps: int) -> float:
    """One training of the default classifier on the digits, on one thread; its first weight, so that none is left out."""
    torch.set_num_threads(1)
    pixels, codes = load_digits(return_X_y=True)
    images = torch.as_tensor(pixels).float().reshape(-1, 1, 8, 8) / 8 - 1
    recipe = Recipe(steps=steps, batch_size=64, learning_rate=1.0e-2, weight_decay=1.0e-2, width=16)
    network = train_classifier(images, torch.as_tensor(codes), num_classes=10, recipe=recipe, seed=seed)
    return float(next(network.parameters()).detach().flatten()[0])


@contextmanager
def chosen(name: str, workers: int) -> Iterator[None]:
    """The engine of that name, as a stage enters it."""
    os.environ[NAME] = name
    try:
        with engine(workers=workers):
            yield
    finally:
        del os.environ[NAME]
        get_reusable_executor().shutdown(wait=True)  # a stage starts its own, so its start counts each time


def seconds(name: str, *, rounds: int, workers: int, steps: int) -> float:
    """Wall time of a fan-out with its engine's start and end."""
    begin = time.perf_counter()
    with chosen(name, workers):
        for _ in fan_out((partial(fit, seed, steps) for seed in range(rounds * workers)), workers=workers):
            pass
    return time.perf_counter() - begin


def cost(name: str, *, workers: int, steps: int) -> Cost:
    """The model of one engine, from medians at two sizes."""
    few, many = FITTED_ROUNDS
    taken = {
        rounds: statistics.median(
            seconds(name, rounds=rounds, workers=workers, steps=steps) for _ in range(REPETITIONS)
        )
        for rounds in FITTED_ROUNDS
    }
    each = (taken[many] - taken[few]) / (many - few)
    return Cost(start=max(0.0, taken[few] - few * each), round=each)


def main(*, quick: Annotated[bool, typer.Option(help="Tiny fits: proves that it runs.")] = False) -> None:
    """Measure every engine beside a plain loop, on this machine, in one run."""
    steps = QUICK_STEPS if quick else STEPS
    fit(0, steps)  # what a first call loads is not the fit's
    alone = statistics.median(_timed(partial(fit, seed, steps)) for seed in range(REPETITIONS))
    goals, details = [], dict[str, Any]()
    for name in track(ENGINES, "engines"):
        model = cost(name, workers=WORKERS, steps=steps)
        told = model.seconds(JUDGED_ROUNDS * WORKERS, WORKERS)
        found = [seconds(name, rounds=JUDGED_ROUNDS, workers=WORKERS, steps=steps) / told for _ in range(REPETITIONS)]
        goals.append(at_most(1.25, f"measured over foretold, {name}", found, unit="ratio"))
        details[name] = {
            "start_in_fits": model.start / alone,
            "round_in_fits": model.round / alone,
            "fits_until_it_beats_a_loop": _break_even(model, alone, WORKERS),
        }
    more = {"quick": quick, "cores": os.cpu_count(), "workers": WORKERS, "fit_s": alone, "engines": details}
    finish("scaling", goals, more)


def _break_even(model: Cost, alone: float, workers: int) -> int | None:
    """The fewest fits, in whole rounds, from which on the fan-out is faster than a loop; None where it never is."""
    saved = workers * alone - model.round
    return None if saved <= 0 else workers * math.ceil(model.start / saved)


def _timed(job: partial[float]) -> float:
    begin = time.perf_counter()
    job()
    return time.perf_counter() - begin


if __name__ == "__main__":
    typer.run(main)
