"""All that is measured of detectors that stood one trial, and the facts that belong to it. Knows nothing of files."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mintmark.anomaly.anogan import AnoGan
from mintmark.anomaly.family import COMBINATION, GENERATIVE
from mintmark.anomaly.measurements import Rates, advantage, alarm_rates, ranking
from mintmark.anomaly.scoring import Scores
from mintmark.anomaly.threshold import resolves, spread
from mintmark.evidence import Measurement

GUARD = "guard"
COMPARED = (*GENERATIVE, COMBINATION)  # what must show that it gains anything over the simpler ones


def judge(
    every: Sequence[Scores],
    *,
    thresholds: Mapping[str, Mapping[str, float | None]],
    rates: Rates,
    rng: np.random.Generator,
    level: float,
) -> list[Measurement]:
    """How each detector ranks, what it gains over simpler ones, and what its alarms do.

    Args:
        every: Of each detector, in the order of the report.
        thresholds: By kind and alarm, as `measurements.thresholds` gives them.
        rates: For which the thresholds were set.
        rng: Of the bootstraps.
        level: Coverage of every interval, each for itself.
    """
    by_kind = {one.kind: one for one in every}
    return [
        *(found for one in every for found in ranking(one, rng=rng, level=level)),
        *(
            advantage(by_kind[kind], over=by_kind[other], rng=rng, level=level)
            for kind, other in comparisons(list(by_kind))
        ),
        *(
            found
            for one in every
            for found in alarm_rates(one, thresholds=thresholds[one.kind], rates=rates, level=level)
        ),
    ]


def comparisons(kinds: Sequence[str]) -> list[tuple[str, str]]:
    """Which detector is compared with which.

    One that uses the generator, with all that do without; the combination, with each of its members; the guard, with the
    same plane fitted on the training records, which shows what it costs to learn from the release alone.
    """
    pairs = []
    for kind in kinds:
        if kind in GENERATIVE:
            pairs += [(kind, other) for other in kinds if other not in (*COMPARED, GUARD)]
        elif kind == COMBINATION:
            pairs += [(kind, other) for other in kinds if other not in (kind, GUARD)]
        elif kind == GUARD and "pca_residual" in kinds:
            pairs.append((kind, "pca_residual"))
    return pairs


def facts(
    every: Sequence[Scores], *, thresholds: Mapping[str, Mapping[str, float | None]], rates: Rates, level: float
) -> dict[str, Any]:
    """The thresholds, what they were asked to do and how surely, and how many records stand behind it all."""
    first, num_calibration = every[0], len(every[0].calibration)
    return {
        "detectors": [one.kind for one in every],
        "thresholds": {kind: dict(by_alarm) for kind, by_alarm in thresholds.items()},
        "false_alarm_rates": {
            name: {
                "asked": rate,
                "spread": spread(num_calibration, false_alarm_rate=rate, level=level)
                if resolves(num_calibration, false_alarm_rate=rate)
                else None,
            }
            for name, rate in rates.by_name().items()
        },
        "records": {
            "references": len(first.references),
            "calibration": num_calibration,
            "normals": len(first.normals),
            "anomalies": {name: len(scores) for name, scores in first.anomalies.items()},
        },
    }


def cost(searcher: AnoGan, *, num_searched: int) -> dict[str, float]:
    """What AnoGAN's search of latents took, which is nearly all of it."""
    return {
        "latent_search_steps": float(searcher.search.num_steps),
        "latents_searched": float(num_searched * searcher.search.num_starts),
        "images_generated": float(searcher.num_generated(num_searched)),
    }
