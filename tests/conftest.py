"""Fixtures that every room shares: real digits, toy images, and quiet threads."""

import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path

# Before NumPy reads it: tests run side by side, and threads that wait for one another spin.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import settings

from mintmark.data.images import ImageSet
from mintmark.data.records import Form, RecordWriter, record_id
from mintmark.evidence import Measurement, Report

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault
settings.load_profile("untimed")
torch.set_num_threads(1)  # as the stages do: same bytes on every machine, and workers do not fight


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where every tool is expected, a test that skips for want of one fails; data files and a browser may be absent."""
    report = yield
    spared = any(item.get_closest_marker(name) for name in ("data", "browser"))
    expected = "MINTMARK_EXPECT_TOOLS" in os.environ and not spared
    if report.skipped and expected and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where every tool is expected: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def seeded() -> None:
    """A network that a test makes is the same in every run, so that what it shows does not depend on luck."""
    torch.manual_seed(0)


def image_set(images: np.ndarray, codes: np.ndarray, classes: tuple[str, ...]) -> ImageSet:
    ids = [record_id(image.tobytes(), None, row) for row, image in enumerate(images)]
    return ImageSet(ids=ids, codes=codes.astype(np.int64), images=images, classes=classes)


@pytest.fixture(scope="session")
def digits() -> ImageSet:
    """scikit-learn's 1,797 handwritten digits, 8x8x1, 0 to 255."""
    from sklearn.datasets import load_digits

    pixels, codes = (np.asarray(part) for part in load_digits(return_X_y=True))
    images = np.round(pixels.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    return image_set(images, codes, tuple("0123456789"))


@pytest.fixture(scope="session")
def toy_images() -> Callable[..., ImageSet]:
    """Easy images: each class is a bright square at a place of its own, under noise."""

    def make(*, num: int = 60, size: int = 8, channels: int = 1, num_classes: int = 3, seed: int = 0) -> ImageSet:
        rng = np.random.default_rng(seed)
        codes = np.arange(num) % num_classes
        images = rng.integers(0, 60, (num, size, size, channels))
        for row, code in enumerate(codes):
            corner = int(code * (size - size // 3) / max(1, num_classes - 1))
            images[row, corner : corner + size // 3, corner : corner + size // 3] += 180
        return image_set(images.astype(np.uint8), codes, tuple(f"class-{code}" for code in range(num_classes)))

    return make


@pytest.fixture(scope="session")
def write_records() -> Callable[..., None]:
    """Write a record file from plain lists: payloads are arrays (None: a null), or a dict of columns for a table."""

    def write(
        path: Path,
        form: Form,
        *,
        payloads: Sequence[np.ndarray | None] | dict[str, list],
        labels: Sequence[str | None],
        groups: Sequence[str | None] | None = None,
    ) -> None:
        schema = form.schema()
        columns = {"id": [f"{row:032x}" for row in range(len(labels))], "label": labels, "group": groups}
        if isinstance(payloads, dict):
            columns |= payloads
        else:
            flat = [None if one is None else one.reshape(-1).tolist() for one in payloads]
            kind = schema.field(form.kind).type
            columns[form.kind] = pa.ExtensionArray.from_storage(kind, pa.array(flat, kind.storage_type))
        arrays = [
            one if isinstance(one := columns[field.name], pa.Array) else pa.array(one, field.type) for field in schema
        ]
        with RecordWriter(path, form) as writer:
            writer.write(pa.RecordBatch.from_arrays(arrays, schema=schema))

    return write


@pytest.fixture(scope="session")
def stage_reports() -> dict[str, Report]:
    """Every stage's report of a run that the default rules release; change a measurement with `measured`."""

    def rate(name: str, value: float | None, low: float | None = None, high: float | None = None, n: int = 539):
        unit = "difference" if "difference" in name else "auc" if "auc" in name else "rate"
        return Measurement(name=name, value=value, unit=unit, n=n, low=low, high=high, level=low and 0.95)

    def count(name: str, value: float, n: int = 2000):
        return Measurement(name=name, value=float(value), unit="count", n=n)

    accuracies = {"real": 0.972, "augmented": 0.978, "synthetic": 0.961, "trts": 0.944}
    evaluate = [rate(f"{arm}_accuracy", value, value - 0.01, value + 0.01) for arm, value in accuracies.items()]
    evaluate += [
        rate("share_difference", -0.011, -0.024, 0.002),
        rate("augment_difference", 0.002, -0.006, 0.01),
        rate("classifier_difference", -0.017, -0.031, -0.003),
        rate("smallest_detectable_difference", 0.009),
    ]
    audit, controls = [], []
    for threat in ("samples", "classifier", "generator", "discriminator"):
        for attack in ("nearest", "density"):
            audit.append(rate(f"{threat}_{attack}_auc", 0.513, 0.479, 0.547, n=1348))
            audit.append(rate(f"{threat}_{attack}_tpr", 0.012, 0.006, 0.022, n=1348))
        audit += [rate(f"{threat}_auc_bound", 0.561), rate(f"{threat}_tpr_bound", 0.031)]
        audit.append(rate(f"{threat}_detection_floor", 0.06))
        controls.append(
            {"name": "planted_copies", "threat": threat, "kind": "positive", "detected": True, "by": "nearest"}
        )
        controls.append(
            {"name": "independent_data", "threat": threat, "kind": "negative", "detected": False, "by": "density"}
        )
    conclusive = dict.fromkeys(("samples", "classifier", "generator", "discriminator"), True)
    measurements: dict[str, list[Measurement]] = {
        "validate": [rate("quarantine_rate", 0.001, n=1797)],
        "split": [count("train_records", 809, n=809), count("test_records", 539, n=539)],
        "train_gan": [rate("discriminator_gap", 0.4)],
        "generate": [count("synthetic_records", 2000)],
        "anonymise": [
            rate("removed_rate", 0.013, 0.008, 0.019, n=2000),
            count("near_copies_left", 0),
            Measurement(name="threshold", value=0.0173, unit="distance", n=809),
        ],
        "evaluate": evaluate,
        "audit": audit,
        "cluster": [rate("dti_accuracy", 0.88, 0.86, 0.9, n=809), rate("coverage_min", 0.71, 0.4, 0.9, n=12)],
        "detect": [rate("anogan_auroc", 0.86, 0.83, 0.89)],
    }
    verdicts = {"evaluate": "no evidence", "audit": "conclusive"}
    facts = {
        "evaluate": {"classifier": {"verdict": "hurts"}},
        "audit": {"conclusive": conclusive, "controls": controls},
    }
    return {
        stage: Report(
            stage=stage,
            measurements=tuple(found),
            headline=(found[0].name,),
            verdict=verdicts.get(stage),
            facts=facts.get(stage, {}),
        )
        for stage, found in measurements.items()
    }


@pytest.fixture
def measured() -> Callable[..., Report]:
    """A report with one measurement's numbers replaced, or the measurement taken out where no number is given."""

    def change(report: Report, name: str, **numbers: float | None) -> Report:
        others = [replace(one, **numbers) if one.name == name else one for one in report.measurements]
        if not numbers:
            others = [one for one in others if one.name != name]
        return replace(report, measurements=tuple(others), headline=())

    return change
