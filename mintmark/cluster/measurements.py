"""What is measured of the clusters: agreement with the labels, and what a release makes of each cluster.

Knows nothing of files, and no threshold but those it is given.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64

from mintmark.cluster.clustering import Fit
from mintmark.cluster.scores import SHUFFLES, accuracy, chance_accuracy, contingency, matching, nmi
from mintmark.evidence import Measurement
from mintmark.fidelity.coverage import Fidelity
from mintmark.fidelity.regions import LEVEL, Judgement, Region, corrected
from mintmark.intervals import Interval, mean, proportion

WORDS = {"kmeans": "K-means", "dti": "clusters up to transformations"}
CHANCE = "chance_accuracy"
WITHOUT = "missed_when_removed"
DETECTABLE = "copies_detectable"

Ends = tuple[float, float | None, float | None]


def agreement(
    fits: dict[str, Fit], codes: Int64[np.ndarray, " n"], *, num_classes: int, rng: np.random.Generator
) -> tuple[Measurement, ...]:
    """How well each fit's clusters agree with the labels, over labelled records; without any, there is no value.

    The clusters are those of the start of the lowest final loss. The mean over starts stands beside, and the accuracy
    that the same clusters reach on shuffled labels as the control.

    Args:
        fits: By name: "kmeans" and "dti".
        codes: Class codes; -1 for an unlabelled record.
        num_classes: How many classes there are.
        rng: Draws the shuffles and the bootstrap.
    """
    labelled = codes >= 0
    num, found = int(labelled.sum()), []
    for name, fit in fits.items():
        starts = fit.clusters.cpu().numpy()[:, labelled]
        counted = {"num_clusters": len(fit.best.prototypes), "num_classes": num_classes}
        best = starts[int(fit.losses.argmin())]
        shares, information, spread = None, None, None
        if num:
            shares = accuracy(contingency(best, codes[labelled], **counted))
            information = nmi(best, codes[labelled], rng=rng)
            spread = _spread([accuracy(contingency(one, codes[labelled], **counted)).value for one in starts])
        words = f"{WORDS[name]}, the start of lowest loss"
        found += [
            _measured(
                f"{name}_accuracy", shares, unit="rate", n=num, control=CHANCE, note=f"{words}, matched to labels."
            ),
            _measured(f"{name}_nmi", information, unit="rate", n=num, note=f"{words}: information shared with labels."),
            _measured(
                f"{name}_mean_accuracy",
                spread,
                unit="rate",
                n=len(starts),
                note="Mean over the starts, the best one as above.",
            ),
        ]
    chance = _chance(fits["dti"], codes, num_classes=num_classes, rng=rng) if num else None
    note = "Control: the same clusters against shuffled labels, over several shuffles."
    return (*found, _measured(CHANCE, chance, unit="rate", n=SHUFFLES if num else 0, note=note))


def reach(judgement: Judgement) -> tuple[Measurement, ...]:
    """What a release reaches, misses and copies, in the worst cluster and by counts of clusters."""
    regions = [region for region in judgement.regions if region.coverage is not None]
    worst = min(regions, key=lambda region: region.coverage.value if region.coverage else 1.0)
    assert worst.coverage is not None
    reached = round(worst.coverage.value * worst.real_records)
    without = sum(region.status_without == "missed" for region in regions)
    num, detectable = len(regions), [region.detectable for region in regions if region.detectable is not None]
    return (
        _measured(
            "coverage_min",
            proportion(reached, worst.real_records, level=corrected(num)),
            unit="rate",
            n=worst.real_records,
            control=WITHOUT,
            note="Coverage of the worst cluster; its interval allows for the choice among all clusters.",
        ),
        _counted("clusters_covered", regions, "covered", control=WITHOUT, note="Shown to be covered."),
        _counted("clusters_missed", regions, "missed", control=WITHOUT, note="Shown to be missed."),
        Measurement(
            name="clusters_copied",
            value=float(sum(region.copied for region in regions)),
            unit="count",
            n=num,
            control=DETECTABLE,
            note="More released records close to real ones than real ones are to each other.",
        ),
        Measurement(
            name=DETECTABLE,
            value=max(detectable, default=None),
            unit="rate",
            n=len(detectable),
            note="Control: this share of copies among a cluster's released records would be named, in any cluster.",
        ),
        _measured(
            WITHOUT,
            proportion(without, num),
            unit="rate",
            n=num,
            note="Control: share of clusters named missed once the release's records of that cluster are taken away.",
        ),
    )


def resemblance(fidelity: Fidelity, judgement: Judgement) -> tuple[Measurement, ...]:
    """Coverage, recall, precision and density over all clusters, and what fresh real records would cover.

    Args:
        fidelity: Of as many released records as real ones: all four depend on the two numbers.
        judgement: Of all records.
    """
    covered, recalled, precise = (flags.cpu().numpy() for flags in fidelity[:3])
    density = _spread(fidelity.density.cpu().double().numpy().tolist())
    floor, matched = (judgement.floor, None, None), (judgement.matched, None, None)
    real, released = len(covered), len(precise)
    rows = (
        (
            "coverage",
            _share(covered),
            real,
            "Share of real records with one of as many released ones among their neighbours.",
        ),
        ("coverage_floor", floor, real, "Coverage of half of the real records by the other half."),
        ("coverage_matched", matched, real, "Coverage of the same half by as many released records."),
        ("recall", _share(recalled), real, "Share of real records within the released ones' spread."),
        ("precision", _share(precise), released, "Share of released records within the real ones' spread."),
        ("density", density, released, "1 where released records lie as densely as real ones."),
    )
    controls = {"coverage": "coverage_floor", "coverage_matched": "coverage_floor"}
    return tuple(
        _measured(
            name, ends, unit="ratio" if name == "density" else "rate", n=num, control=controls.get(name), note=note
        )
        for name, ends, num, note in rows
    )


def table(
    judgement: Judgement, clusters: Int64[np.ndarray, " n"], codes: Int64[np.ndarray, " n"], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """One plain row a cluster: counts, shares and judgement; no record and no distance."""
    labelled = codes >= 0
    counts = contingency(
        clusters[labelled], codes[labelled], num_clusters=len(judgement.regions), num_classes=max(1, len(classes))
    )
    matched = matching(counts) if labelled.any() else {}
    real = sum(region.real_records for region in judgement.regions)
    released = sum(region.synthetic_records for region in judgement.regions)
    return [
        {
            "cluster": place,
            "class": classes[matched[place]] if place in matched else None,
            "records": region.real_records,
            "released_records": region.synthetic_records,
            "share": region.real_records / real,
            "released_share": region.synthetic_records / released,
            "status": region.status,
            "copied": region.copied,
            "coverage": _ends(region.coverage),
            "coverage_floor": region.floor,
            "coverage_matched": region.matched,
            "close_released": _ends(region.close),
            "close_real": _ends(region.close_real),
            "copies_detectable": region.detectable,
            "status_without": region.status_without,
        }
        for place, region in enumerate(judgement.regions)
    ]


def _chance(fit: Fit, codes: np.ndarray, *, num_classes: int, rng: np.random.Generator) -> Interval:
    labelled = codes >= 0
    best = fit.clusters[int(fit.losses.argmin())].cpu().numpy()[labelled]
    num_clusters = len(fit.best.prototypes)
    return chance_accuracy(best, codes[labelled], num_clusters=num_clusters, num_classes=num_classes, rng=rng)


def _spread(values: Sequence[float]) -> Ends:
    """The mean with its interval over the values; a single value has none."""
    return mean(np.array(values)) if len(values) > 1 else (values[0], None, None)


def _share(flags: np.ndarray) -> Interval:
    return proportion(int(flags.sum()), len(flags))


def _ends(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else interval._asdict()


def _measured(
    name: str, interval: Ends | None, *, unit: str, n: int, control: str | None = None, note: str
) -> Measurement:
    value, low, high = interval or (None, None, None)
    return Measurement(
        name=name,
        value=value,
        low=low,
        high=high,
        level=LEVEL if low is not None else None,
        unit=unit,
        n=n,
        control=control,
        note=note,
    )


def _counted(name: str, regions: Sequence[Region], status: str, *, control: str, note: str) -> Measurement:
    count = sum(region.status == status for region in regions)
    return Measurement(name=name, value=float(count), unit="count", n=len(regions), control=control, note=note)
