"""Would the unit tests notice a broken attack? Three mutants of every score and statistic, each against its tests.

The scores' sign flipped, one score for all, and every record with another's score. A mutant is killed when a test fails
(pytest's status 1); the tests must pass without it, and an error that is no failed test counts for neither.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from bench.reporting import Goal, at_least

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "mintmark" / "privacy"
KINDS = ("flipped", "constant", "shuffled")
PASSED, FAILED = 0, 1  # pytest's exit statuses


class Function(NamedTuple):
    """What is mutated: of a score its answer, of a statistic the scores that it is asked about."""

    module: str
    name: str
    part: str


ANSWERS = {
    "queries": ("log_odds", "confidence_scores"),
    "classifier": ("class_confidence_scores", "shadow_scores"),
    "likelihood": ("lira_scores", "shrunk_lira_scores", "offline_lira_scores", "rmia_scores"),
    "densities": ("log_density", "neighbourhood_mass"),
    "samples": (
        "nearest_scores",
        "calibrated_scores",
        "feature_scores",
        "neighbourhood_scores",
        "density_scores",
        "auxiliary_scores",
        "log_nearness",
    ),
    "generator": ("inversion_scores",),
    "discriminator": ("logit_scores",),
    "shadows": ("Shadows.untrained_mean",),
    "blind": ("_fold_aucs",),
}
QUESTIONS = {
    "detection": ("rank_sum", "num_beyond", "p_values", "detect"),
    "rates": ("measure",),
    "chosen": ("choose",),
    "roc": ("true_positive_rates",),
}
FUNCTIONS = [
    Function(f"mintmark.privacy.{module}", name, part)
    for part, table in (("answer", ANSWERS), ("question", QUESTIONS))
    for module, names in table.items()
    for name in names
]
QUICK = [Function("mintmark.privacy.likelihood", "lira_scores", "answer")]


def measure(*, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """The share of mutants killed, and the fate of each.

    Raises:
        RuntimeError: tests fail without a mutant, or a run ended in neither passed nor failed tests.
    """
    functions = QUICK if quick else FUNCTIONS
    with ThreadPoolExecutor(workers) as pool:
        modules = sorted({one.module for one in functions})
        if broken := [module for module, code in zip(modules, pool.map(_run, modules), strict=True) if code != PASSED]:
            raise RuntimeError(f"expected tests that pass without a mutant, got others of {broken}")
        mutants = [(one, kind) for one in functions for kind in KINDS]
        statuses = list(pool.map(lambda mutant: _run_mutant(*mutant), mutants))
    fates: dict[str, dict[str, str]] = {}
    for (one, kind), status in zip(mutants, statuses, strict=True):
        if status not in (PASSED, FAILED):
            raise RuntimeError(f"{one.module}.{one.name}, {kind}: expected passed or failed tests, got status {status}")
        fates.setdefault(f"{one.module}.{one.name}", {})[kind] = "survived" if status == PASSED else "killed"
    share = statuses.count(FAILED) / len(statuses)
    return [at_least(1.0, "mutants killed", share, (share, share), unit="of all")], {"fates": fates}


def tests_of(module: str) -> list[Path]:
    """The test files that import the module, as far as their text tells."""
    return [path for path in sorted(TESTS.glob("test_*.py")) if f"from {module} import" in path.read_text()]


def _run_mutant(function: Function, kind: str) -> int:
    return _run(function.module, ":".join([*function, kind]))


def _run(module: str, mutant: str | None = None) -> int:
    """Pytest's exit status on the module's tests."""
    files = [str(path) for path in tests_of(module)]
    if not files:
        return PASSED  # nothing that could fail: its mutants survive
    options = ["-x", "-q", "-p", "no:cacheprovider"] + ([] if mutant is None else ["-p", "bench.privacy.mutant"])
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({} if mutant is None else {"MUTANT": mutant})
    command = [sys.executable, "-m", "pytest", *options, *files]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False).returncode
