"""Each image is scored once by each detector, and references and calibration normals are never confused."""

from dataclasses import replace

import pytest
import torch

from mintmark.anomaly.combination import Combination, combine, fit, refer
from mintmark.anomaly.detector import explained
from mintmark.anomaly.scoring import Case, Scores, combined, score
from mintmark.anomaly.trial import Trial
from mintmark.errors import BadInput

RNG = torch.Generator().manual_seed(0)
REFERENCES, CALIBRATION, NORMALS = (torch.rand(num, 1, 3, 3, generator=RNG) for num in (24, 9, 5))
ANOMALIES = {"mild": torch.rand(3, 1, 3, 3, generator=RNG) + 1, "strong": torch.rand(2, 1, 3, 3, generator=RNG) + 3}
CODES = {"normal_codes": torch.zeros(5).long().numpy(), "anomaly_codes": {}}
TRIAL = Trial(normals=NORMALS, anomalies=ANOMALIES, **CODES)
CASE = Case(references=REFERENCES, calibration=CALIBRATION, trial=TRIAL)


class Mean:
    """Scores an image by the mean of its pixels to a power, and counts what it is asked."""

    def __init__(self, power: float) -> None:
        self.kind, self.power, self.num_asked = f"mean{power}", power, 0

    def score(self, images: torch.Tensor) -> torch.Tensor:
        self.num_asked += len(images)
        return images.flatten(1).mean(dim=1) ** self.power

    def explain(self, images: torch.Tensor):
        return explained(images, images)


def scored(power: float) -> Scores:
    return score(Mean(power), CASE)


def test_every_image_is_scored_once_and_in_its_place():
    detector = Mean(1.0)
    found = score(detector, CASE)
    assert detector.num_asked == len(CASE.images) == 24 + 9 + 5 + 3 + 2
    for scores, images in (
        (found.references, REFERENCES),
        (found.calibration, CALIBRATION),
        (found.normals, NORMALS),
        (found.anomalies["mild"], ANOMALIES["mild"]),
        (found.anomalies["strong"], ANOMALIES["strong"]),
    ):
        torch.testing.assert_close(scores, images.flatten(1).mean(dim=1))
    assert found.all_anomalies.tolist() == [*found.anomalies["mild"], *found.anomalies["strong"]]


def test_the_combination_of_scores_is_that_of_the_detectors():
    found = combined([scored(1.0), scored(3.0)], kind="combination")
    detector: Combination = fit(REFERENCES, detectors=[Mean(1.0), Mean(3.0)])
    torch.testing.assert_close(found.calibration, detector.score(CALIBRATION))
    torch.testing.assert_close(found.normals, detector.score(NORMALS))
    torch.testing.assert_close(found.anomalies["mild"], detector.score(ANOMALIES["mild"]))


def test_the_combination_learns_nothing_of_the_calibration_normals():
    known = [refer(one.references, kind=one.kind) for one in (scored(1.0), scored(3.0))]
    found = combined([scored(1.0), scored(3.0)], kind="combination")
    torch.testing.assert_close(found.normals, combine(known, [scored(1.0).normals, scored(3.0).normals]))


def test_too_few_references_are_refused():
    few = score(Mean(1.0), replace(CASE, references=REFERENCES[:19]))
    with pytest.raises(BadInput, match="held_out: expected at least 20 normals, got 19"):
        combined([few], kind="combination")
