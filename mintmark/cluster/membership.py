"""How large clusters are, and how well they agree with labels, which no clustering saw. Knows no record and no file."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64

from mintmark.cluster.scores import SHUFFLES, accuracy, chance_accuracy, contingency, matching, nmi
from mintmark.evidence import Measurement
from mintmark.intervals import Interval, proportion

LEVEL = 0.95

Codes = Int64[np.ndarray, " n"]


def sizes(
    clusters: Codes, distances: Float[np.ndarray, " n"], codes: Codes, *, num_clusters: int, classes: Sequence[str]
) -> pd.DataFrame:
    """One row a cluster.

    Args:
        clusters: Of every record.
        distances: Of every record from its cluster.
        codes: Class codes; -1 for an unlabelled record.
        num_clusters: How many.
        classes: Names of the codes.

    Returns:
        `cluster`, `records`, `share` of all records with its exact interval (`share_low`, `share_high`), `distance` (mean
        over the records), and the `class` it is matched to, one to one, with `class_share`: how many of the cluster's
        labelled records are of that class. Null where there is none.
    """
    labelled = codes >= 0
    table = contingency(
        clusters[labelled], codes[labelled], num_clusters=num_clusters, num_classes=max(1, len(classes))
    )
    matched = matching(table) if labelled.any() else {}
    rows = []
    for cluster in range(num_clusters):
        mine, code = clusters == cluster, matched.get(cluster)
        num, known = int(mine.sum()), int(table[cluster].sum())
        value, low, high = proportion(num, len(clusters))
        rows.append(
            {
                "cluster": cluster,
                "records": num,
                "share": value,
                "share_low": low,
                "share_high": high,
                "distance": float(distances[mine].mean()) if num else None,
                "class": None if code is None else classes[code],
                "class_share": None if code is None or not known else int(table[cluster, code]) / known,
            }
        )
    return pd.DataFrame(rows)


def agreement(
    clusters: Codes, codes: Codes, *, num_clusters: int, num_classes: int, rng: np.random.Generator
) -> tuple[Measurement, ...]:
    """Accuracy and normalised mutual information over labelled records; without any, neither has a value.

    The accuracy that the same clusters reach on shuffled labels is the control.

    Args:
        clusters: Of every record.
        codes: Class codes; -1 for an unlabelled record.
        num_clusters: How many.
        num_classes: How many.
        rng: Draws the shuffles and the bootstrap.
    """
    labelled = codes >= 0
    found, true, num = clusters[labelled], codes[labelled], int(labelled.sum())
    share, information, chance = None, None, None
    if num:
        counted = {"num_clusters": num_clusters, "num_classes": num_classes}
        share = accuracy(contingency(found, true, **counted))
        chance = chance_accuracy(found, true, **counted, rng=rng)
        information = nmi(found, true, rng=rng)
    return (
        _measured("accuracy", share, n=num, control="chance_accuracy", note="Clusters matched to labels, one to one."),
        _measured("nmi", information, n=num, note="Information that clusters share with labels, normalised."),
        _measured("chance_accuracy", chance, n=SHUFFLES if num else 0, note="Control: against shuffled labels."),
    )


def _measured(name: str, ends: Interval | None, *, n: int, control: str | None = None, note: str) -> Measurement:
    value, low, high = ends or (None, None, None)
    level = None if ends is None else LEVEL
    return Measurement(
        name=name, value=value, low=low, high=high, level=level, unit="rate", n=n, control=control, note=note
    )
