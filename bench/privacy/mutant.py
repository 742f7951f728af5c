"""A pytest plugin that puts a mutant in a function's place before any test is collected.

MUTANT names it: module, function, what is mutated ("answer" or "question") and how, parted by colons. Loaded by
`python -m pytest -p bench.privacy.mutant`, as `bench.privacy.mutations` does.
"""

import functools
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from mintmark.privacy.rates import Scores


def flipped(scores: np.ndarray) -> np.ndarray:
    """The opposite of every score."""
    return -scores


def constant(scores: np.ndarray) -> np.ndarray:
    """One score for all: 0."""
    return np.zeros_like(scores)


def shuffled(scores: np.ndarray) -> np.ndarray:
    """Every score to another record, in one random circle, so that none of several keeps its own."""
    order = np.random.default_rng(0).permutation(scores.shape[-1])
    found = np.empty_like(scores)
    found[..., order] = scores[..., np.roll(order, 1)]
    return found


KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"flipped": flipped, "constant": constant, "shuffled": shuffled}


def of_answer(function: Callable[..., Any], mutate: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Any]:
    """The function with its scores mutated; that it gives none stays so."""

    @functools.wraps(function)
    def mutant(*args: Any, **kwargs: Any) -> Any:
        found = function(*args, **kwargs)
        return None if found is None else mutate(np.asarray(found))

    return mutant


def of_question(function: Callable[..., Any], mutate: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Any]:
    """A statistic that is asked about mutated scores: those of members and non-members together."""

    @functools.wraps(function)
    def mutant(scores: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(scores, dict):
            asked: Any = {name: mutated(one, mutate) for name, one in scores.items()}
        else:
            asked = mutated(scores, mutate)
        return function(asked, *args, **kwargs)

    return mutant


def mutated(scores: Scores, mutate: Callable[[np.ndarray], np.ndarray]) -> Scores:
    """Both parties' scores, mutated together."""
    found = mutate(np.concatenate([scores.members, scores.non_members], axis=-1))
    num_members = scores.members.shape[-1]
    return Scores(found[..., :num_members], found[..., num_members:])


def pytest_sessionstart() -> None:
    """Put the mutant wherever the function is already known; later imports find it in its module."""
    module, name, part, kind = os.environ["MUTANT"].split(":")
    *owners, last = name.split(".")
    owner = functools.reduce(getattr, owners, importlib.import_module(module))
    original = getattr(owner, last)
    mutant = (of_answer if part == "answer" else of_question)(original, KINDS[kind])
    setattr(owner, last, mutant)
    for known in [one for key, one in sys.modules.items() if key.startswith("mintmark.")]:
        if getattr(known, last, None) is original:
            setattr(known, last, mutant)
