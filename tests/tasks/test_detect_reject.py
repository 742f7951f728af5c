"""The reject option in the stage detect: what stands before the classifier, and what it lets through."""

from pathlib import Path

import pandas as pd
import pytest

from mintmark.data.images import write_images
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from tasks.detect import run
from tests.tasks.detecting import JUDGED, PARAMS, REJECTERS, write_classifier


def test_every_rejecter_is_judged_on_one_mixture_of_the_stated_share(detect_dir: Path):
    run(PARAMS, detect_dir)
    report, table = read_report(detect_dir / "detect"), pd.read_csv(detect_dir / "detect" / "reject.csv")
    assert report["answered_accuracy"].n == 40  # 30 untouched and 10 corrupted
    assert set(table["rejecter"]) == {*REJECTERS, "random"}
    for kind in REJECTERS:
        curve = table[table["rejecter"] == kind]
        full = curve.iloc[-1]
        assert full.tolist()[1:] == pytest.approx([1.0, report["answered_accuracy"].value, 0.25])
        kept = curve[(curve["coverage"] - (report[f"{kind}_kept_share"].value or 0)).abs() < 1e-4]
        assert kept["accuracy"].tolist() == pytest.approx([report[f"{kind}_kept_accuracy"].value], abs=1e-5)
        assert report[f"{kind}_minus_random_risk_area"].low is not None
    assert report["guard_minus_confidence_risk_area"].value == pytest.approx(
        (report["guard_risk_area"].value or 0) - (report["confidence_risk_area"].value or 0), abs=1e-5
    )


def test_what_rejects_is_set_by_validation_and_never_by_test(detect_dir: Path, toy_images):
    run(PARAMS, detect_dir)
    before = read_report(detect_dir / "detect").facts["thresholds"]
    write_images(detect_dir / "split" / "test.parquet", toy_images(num=60, seed=7))
    run(PARAMS, detect_dir)
    assert read_report(detect_dir / "detect").facts["thresholds"] == before
    assert set(before) == {*JUDGED, *REJECTERS}


def test_a_classifier_of_other_classes_is_refused(detect_dir: Path):
    write_classifier(detect_dir / "evaluate" / "classifier.safetensors", classes=("a", "b"))
    with pytest.raises(BadInput, match=r"expected a classifier of the classes .*'class-0'.* got \['a', 'b'\]"):
        run(PARAMS, detect_dir)
