"""Our attacks on a classifier beside those of the Adversarial Robustness Toolbox: same targets, records and shadows.

Both are given the answers of a target and of the same shadows, so the seconds are those of the attack alone. ART's
black-box attack learns from the shadows' probabilities, as its guide shows, with each of its classical models.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers import answer, install
from bench.privacy.classifier import Field, Sizes, attack, prepare, shadows_of, summarise
from bench.reporting import Goal, at_least
from mintmark.privacy.rates import Scores

PINS = (
    "adversarial-robustness-toolbox==1.20.1",
    "numpy==2.4.6",
    "scikit-learn==1.9.1",
    "scipy==1.17.1",
    "packaging==26.4",  # which ART imports and does not ask for
)
RATE = "tpr at 1% fpr"
SIZES, QUICK = Sizes(2000, 36, 32, 4, 600), Sizes(200, 12, 8, 4, 20)
NUM_TARGETS, QUICK_TARGETS = 6, 2

THEIRS = """
import json, sys, time, warnings
import numpy as np
warnings.simplefilter("ignore")
from art.attacks.inference.membership_inference import MembershipInferenceBlackBox
from art.estimators.classification import BlackBoxClassifier
given = np.load(sys.argv[1])
codes, target, shadows, trained_on = (given[name] for name in ("codes", "target", "shadows", "trained_on"))
hot = np.eye(target.shape[1], dtype=np.float32)
classifier = BlackBoxClassifier(lambda rows: hot[np.zeros(len(rows), int)], (1,), target.shape[1])
labels = np.broadcast_to(codes, trained_on.shape)
found, seconds = {}, {}
for kind in sys.argv[3].split(","):
    np.random.seed(0)
    begun = time.perf_counter()
    attack = MembershipInferenceBlackBox(classifier, attack_model_type=kind)
    attack.fit(
        y=hot[labels[trained_on]], pred=shadows[trained_on], test_y=hot[labels[~trained_on]], test_pred=shadows[~trained_on]
    )
    found[kind] = attack.infer(None, hot[codes], pred=target, probabilities=True).ravel().astype(float)
    seconds[kind] = time.perf_counter() - begun
np.savez(sys.argv[2], **found)
print(json.dumps(seconds))
"""
KINDS = ("rf", "lr", "dt", "gb")


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """AUC, rate and seconds of each attack of both, over several targets."""
    sizes, num_targets = (QUICK, QUICK_TARGETS) if quick else (SIZES, NUM_TARGETS)
    field = prepare(data, sizes, workers=workers)
    scores: dict[str, list[Scores]] = {}
    seconds: dict[str, list[float]] = {"all of ours": []}
    with tempfile.TemporaryDirectory() as name:
        python = install(Path(name) / "peer", PINS)
        for place in range(num_targets):
            begun = time.perf_counter()
            ours = attack(place, field, sizes=sizes)
            seconds["all of ours"].append(time.perf_counter() - begun)
            theirs, took = _theirs(place, field, python, Path(name), sizes)
            for kind, one in (ours | theirs).items():
                scores.setdefault(kind, []).append(one)
            for kind, one in took.items():
                seconds.setdefault(f"art {kind}", []).append(one)
    table = {kind: summarise(found) for kind, found in scores.items()}
    medians = {kind: float(np.median(found)) for kind, found in seconds.items()}
    return _goals(table, seconds), {"table": table, "seconds of an attack": medians, "targets": num_targets}


def _theirs(
    place: int, field: Field, python: Path, folder: Path, sizes: Sizes
) -> tuple[dict[str, Scores], dict[str, float]]:
    rows = shadows_of(place, sizes.models)[: sizes.shadows]
    np.savez(
        folder / "given.npz",
        codes=field.codes,
        target=field.models[place].probabilities,
        shadows=np.stack([field.models[row].probabilities for row in rows]),
        trained_on=field.whole.confidences.trained_on[rows],
    )
    took = answer(python, THEIRS, str(folder / "given.npz"), str(folder / "found.npz"), ",".join(KINDS))
    members = field.whole.confidences.trained_on[place]
    found = np.load(folder / "found.npz")
    return {f"art {kind}": Scores(found[kind][members], found[kind][~members]) for kind in KINDS}, took


def _goals(table: dict[str, dict[str, list[float]]], seconds: dict[str, list[float]]) -> list[Goal]:
    best = max((kind for kind in table if kind.startswith("art ")), key=lambda kind: table[kind]["auc"][0])
    ours = table["lira"]
    goals = []
    for figure in ("auc", RATE):
        (value, low, high), theirs = ours[figure], table[best][figure]
        ends = low - theirs[2], high - theirs[1]  # wider than an interval of the difference
        goals.append(at_least(0.0, f"{figure}: LiRA less the best of ART ({best})", value - theirs[0], ends, unit=""))
    faster = [theirs / mine for theirs, mine in zip(seconds[best], seconds["all of ours"], strict=True)]
    middle = float(np.median(faster))
    goals.append(at_least(1.0, f"all of ours faster than {best}", middle, (min(faster), max(faster)), unit="times"))
    return goals
