"""ReconSyn (Ganev and De Cristofaro 2023): records are rebuilt from privacy metrics that answer too precisely.

An attacker hands in one candidate after another and reads what a metric says. The usual metric, the distance to the
nearest training record, gives that record away pixel by pixel. What we publish must not, asked just as often.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from mintmark.data.images import ImageSet
from mintmark.evidence import Measurement, Report
from mintmark.fidelity.copies import pixels
from mintmark.neighbours import nearest
from mintmark.privacy.parties import Parties
from mintmark.privacy.samples import calibrated_scores, nearest_scores
from mintmark.privacy.summary import Precision, attack_measurements, gate_measurements, rates_of
from mintmark.release.published import publish

STEP = 32.0  # grey levels by which the attacker changes a pixel
PRECISION = Precision(fpr=0.01, low_fpr=0.001, resamples=40, power=0.9, grid=(1.0,), simulations=1)

Metric = Callable[[np.ndarray], float]


@pytest.fixture(scope="module")
def parties(digits: ImageSet) -> Parties:
    rows = np.random.default_rng(0).permutation(len(digits))
    parts = [digits.take(part) for part in np.split(rows, [500, 900, 1100])]
    return Parties(members=parts[0], non_members=parts[1], reference=parts[2], bystanders=parts[3])


def outliers(members: ImageSet, *, num: int) -> np.ndarray:
    """The members that lie farthest from all others."""
    rows = pixels(members.images)
    return nearest(rows, rows, same_set=True).distances[:, 0].numpy().argsort()[-num:]


def rebuilt(start: np.ndarray, metric: Metric) -> np.ndarray:
    """The record to which the metric is the distance: (d(x + h)^2 - d(x)^2 - h^2) / 2h is how far x's pixel exceeds it."""
    base = metric(start) ** 2
    found = start.copy()
    for place in range(start.size):
        moved = start.copy()
        moved[place] += STEP
        found[place] -= (metric(moved) ** 2 - base - STEP**2) / (2 * STEP)
    return found


def near_guess(member: np.ndarray) -> np.ndarray:
    """A candidate of which the member is the nearest record: itself under noise, as an attacker may have drawn it."""
    return member + np.random.default_rng(1).normal(0.0, 3.0, member.size)


def share_rebuilt(parties: Parties, metric: Metric, *, num: int) -> float:
    """The share of pixels that are found to within one grey level, less what the guess already had right."""
    right = had = 0.0
    for row in outliers(parties.members, num=num):
        truth = parties.members.images[row].reshape(-1).astype(float)
        start = near_guess(truth)
        right += (np.abs(rebuilt(start, metric) - truth) <= 1.0).mean() / num
        had += (np.abs(start - truth) <= 1.0).mean() / num
    return right - had


def usual_metric(parties: Parties) -> Metric:
    """Mean distance to the closest record of the training data, in grey levels, of a release of one record."""
    known = parties.members.images.reshape(len(parties.members), -1).astype(float)
    return lambda candidate: float(np.linalg.norm(known - candidate, axis=1).min())


def published_metric(parties: Parties, name: str) -> Metric:
    """One of the audit's numbers as it would be published of a release that holds the candidate once."""
    queries, reference = parties.pixels(), pixels(parties.reference.images)
    release = pixels(parties.bystanders.images[:300])

    def ask(candidate: np.ndarray) -> float:
        row = torch.from_numpy(np.clip(np.rint(candidate), 0, 255).astype(np.float32) / 255.0)
        nearness = nearest_scores(queries, torch.cat([release, row[None]]))
        found = {"nearest": nearness, "calibrated": calibrated_scores(nearness, queries, reference)}
        scores = {attack: parties.split(one) for attack, one in found.items()}
        rates = rates_of({"samples": scores}, precision=PRECISION, seed=0)["samples"]
        told: list[Measurement] = [
            *gate_measurements("samples", rates, scores, fpr=0.01, control="c"),
            *attack_measurements("samples", rates, scores, precision=PRECISION, control="c"),
        ]
        report = Report(stage="audit", measurements=tuple(told))
        rows = publish({"audit": report}, min_records=20, decimals=3)["measurements"]
        (value,) = (row["value"] for row in rows if row["name"] == name)
        return 255.0 * value

    return ask


def test_the_usual_metric_gives_records_away(parties: Parties):
    assert share_rebuilt(parties, usual_metric(parties), num=20) > 0.5


@pytest.mark.parametrize("name", ["samples_auc_bound", "samples_nearest_auc", "samples_calibrated_tpr"])
def test_what_is_published_does_not(parties: Parties, name: str):
    assert share_rebuilt(parties, published_metric(parties, name), num=2) < 0.05


def test_the_number_of_removed_near_copies_stays_inside():
    removed = Measurement(name="removed_rate", value=0.01, unit="rate", n=1000)
    copies = Measurement(name="near_copies_removed", value=10.0, unit="count", n=1000)
    told = publish({"anonymise": Report(stage="anonymise", measurements=(removed, copies))}, min_records=20, decimals=3)
    assert told["measurements"] == []
