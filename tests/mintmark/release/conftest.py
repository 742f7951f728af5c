"""The default rules, a verdict and a whole bundle, as the release stage makes them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from mintmark.anomaly import pca
from mintmark.anomaly.model import Guard, save_guard
from mintmark.classify.networks import SmallCNN
from mintmark.data.images import ImageSet, read_images, synthetic_ids, to_unit, write_images
from mintmark.evidence import Measurement, Report
from mintmark.release.bundle import Classifier, Contents
from mintmark.release.gate import Policy, judge
from mintmark.release.published import publish, publish_verdict
from mintmark.release.rules import parse_rule

PARAMS = YAML(typ="safe").load(Path(__file__).parents[3].joinpath("params.yaml").read_text(encoding="utf-8"))["release"]


@pytest.fixture(scope="session")
def policy() -> Policy:
    """The rules and sets of params.yaml."""
    return Policy(
        purpose="share",
        rules=tuple(parse_rule(rule) for rule in PARAMS["rules"]),
        sets=(("samples", "classifier"), ("samples",)),
    )


@pytest.fixture(scope="session")
def reports(stage_reports: Mapping[str, Report]) -> dict[str, Report]:
    """Every report that the default rules read, the release stage's own included; all rules pass."""
    own = Measurement(name="real_records_found", value=0.0, unit="count", n=1797)
    return {**stage_reports, "release": Report(stage="release", measurements=(own,))}


@pytest.fixture
def released(policy: Policy, reports: Mapping[str, Report]) -> dict:
    """`verdict.json` of a release."""
    return judge(policy, reports).as_json()


@pytest.fixture
def refused(policy: Policy, reports: dict[str, Report], measured) -> dict:
    """`verdict.json` of a refusal: the audit of the synthetic data found too much."""
    audit = measured(reports["audit"], "samples_auc_bound", value=0.71)
    return judge(policy, {**reports, "audit": audit}).as_json()


@pytest.fixture(scope="session")
def source(tmp_path_factory, digits: ImageSet) -> Path:
    """A record file of 60 synthetic images in ten classes; one has no label."""
    rng = np.random.default_rng(0)
    codes = np.arange(60) % 10
    images = rng.integers(0, 256, (60, 8, 8, 1)).astype(np.uint8)
    codes[59] = -1
    path = tmp_path_factory.mktemp("source") / "release.parquet"
    write_images(path, ImageSet(ids=synthetic_ids(images, first=0), codes=codes, images=images, classes=digits.classes))
    return path


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """An untrained classifier of 8x8 images in ten classes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = SmallCNN((8, 8, 1), 10, 4).eval()
    return Classifier(network=network, shape=(8, 8, 1), classes=tuple("0123456789"))


@pytest.fixture(scope="session")
def guard(source: Path) -> Path:
    """The file of a guard that was fitted on the source."""
    images = to_unit(read_images(source).images)
    plane = pca.fit(images, num_components=3)
    path = source.with_name("detector.safetensors")
    thresholds = {"novelty": plane.score(images).median().item()}
    save_guard(path, Guard(detector=plane, thresholds=thresholds, rates={"novelty": 0.05}, classes=tuple("0123456789")))
    return path


@pytest.fixture(scope="session")
def contents(
    policy: Policy, reports: Mapping[str, Report], source: Path, classifier: Classifier, guard: Path
) -> Contents:
    """What a bundle of data and classifier is built from."""
    return Contents(
        title="Synthetic digits",
        licence="cc0-1.0",
        verdict=publish_verdict(judge(policy, reports).as_json(), decimals=3),
        evidence=publish(reports, min_records=20, decimals=3),
        samples=source,
        classifier=classifier,
        guard=guard,
        weights={},
    )
