"""The bundle: complete when released, evidence alone when refused, the same bytes each time, no real record."""

import json
from dataclasses import replace

import mlcroissant as mlc
import numpy as np
import pytest
from ruamel.yaml import YAML

from mintmark.anomaly.model import load_guard
from mintmark.data.images import read_images, write_images
from mintmark.release.bundle import write_bundle
from mintmark.release.manifest import read_manifest
from mintmark.release.published import publish_verdict
from mintmark.release.quiet import errors_only
from mintmark.release.search import gather, search

EVIDENCE = {
    f"evidence/{name}" for name in ("verdict.json", "measurements.json", "report.html", "accuracy.png", "attacks.png")
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("bundle")
    write_bundle(folder, contents)
    return folder


def samples_only(contents):
    return replace(contents, verdict={**contents.verdict, "set": ["samples"], "withheld": ["classifier"]})


def test_a_released_bundle_holds_data_model_card_metadata_and_evidence(bundle):
    assert set(read_manifest(bundle)) == EVIDENCE | {
        "README.md",
        "croissant.json",
        "samples.png",
        "data/train-00000-of-00001.parquet",
        "model/classifier.onnx",
        "model/guard.safetensors",
    }
    assert json.loads((bundle / "evidence" / "verdict.json").read_text())["set"] == ["samples", "classifier"]


def test_the_card_has_a_header_that_hugging_face_reads(bundle, source, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    text = (bundle / "README.md").read_text(encoding="utf-8")
    header = YAML(typ="safe").load(text.split("---")[1])
    assert header["license"] == "cc0-1.0"
    assert header["dataset_info"]["splits"] == [{"name": "train", "num_examples": 60}]
    assert header["size_categories"] == ["n<1K"]
    assert "Released: the synthetic data and the classifier, because all 12 rules passed" in text
    opened = datasets.load_dataset(str(bundle), split="train", cache_dir=str(tmp_path / "cache"))
    assert opened.features["label"].names == list("0123456789")
    np.testing.assert_array_equal(np.asarray(opened[3]["image"]), read_images(source).images[3, :, :, 0])


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")  # rdflib, of itself
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # mlcroissant's call of pandas
def test_mlcroissant_loads_the_metadata_and_reads_the_records(bundle, source):
    images = read_images(source)
    with errors_only("absl"):
        described = mlc.Dataset(jsonld=bundle / "croissant.json")
    assert not described.metadata.ctx.issues.errors
    records = list(described.records("records"))
    assert len(records) == 60
    np.testing.assert_array_equal(np.asarray(records[5]["records/image"]), images.images[5, :, :, 0])
    assert records[5]["records/label"] == images.codes[5]
    named = list(described.records("labels"))
    assert (named[3]["labels/code"], named[3]["labels/name"]) == (3, "3")


def test_a_set_without_the_classifier_ships_none(tmp_path, contents):
    write_bundle(tmp_path, samples_only(contents))
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["guard.safetensors"]
    assert "onnx" not in (tmp_path / "README.md").read_text(encoding="utf-8").lower()
    assert (tmp_path / "data").exists()


def test_a_refused_bundle_holds_evidence_alone(tmp_path, contents, refused):
    write_bundle(tmp_path, replace(contents, verdict=publish_verdict(refused, decimals=3)))
    assert set(read_manifest(tmp_path)) == EVIDENCE


def test_equal_inputs_give_equal_bytes(tmp_path, contents):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_bundle(tmp_path / name, samples_only(contents))
    assert (tmp_path / "a" / "MANIFEST.json").read_bytes() == (tmp_path / "b" / "MANIFEST.json").read_bytes()


def test_no_real_record_is_in_the_bundle_and_a_planted_one_would_be_found(tmp_path, contents, digits, bundle, source):
    write_images(tmp_path / "real.parquet", digits)
    real = gather([tmp_path / "real.parquet"])
    assert search(bundle, real) == []
    images = read_images(source)
    planted = replace(images, images=np.concatenate([images.images[:-1], digits.images[70:71]]))
    write_images(tmp_path / "planted.parquet", planted)
    (tmp_path / "leaky").mkdir()
    write_bundle(tmp_path / "leaky", replace(samples_only(contents), samples=tmp_path / "planted.parquet"))
    assert any(found.startswith("data/train-00000-of-00001.parquet") for found in search(tmp_path / "leaky", real))


def test_the_bundle_names_no_path_of_the_machine(bundle):
    for path in bundle.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert str(bundle).encode() not in content
            assert b"site-packages" not in content


def test_weights_of_a_released_generator_go_along(tmp_path, contents):
    (tmp_path / "generator.safetensors").write_bytes(b"weights")
    (tmp_path / "out").mkdir()
    verdict = {**contents.verdict, "set": ["samples", "generator"]}
    weights = {"generator": tmp_path / "generator.safetensors", "discriminator": tmp_path / "absent"}
    write_bundle(tmp_path / "out", replace(contents, verdict=verdict, weights=weights))
    assert (tmp_path / "out" / "model" / "generator.safetensors").read_bytes() == b"weights"
    assert not (tmp_path / "out" / "model" / "discriminator.safetensors").exists()


def test_the_guard_goes_with_the_samples_and_with_nothing_else(bundle, contents, tmp_path):
    assert (bundle / "model" / "guard.safetensors").read_bytes() == contents.guard.read_bytes()
    (tmp_path / "samples").mkdir()
    write_bundle(tmp_path / "samples", samples_only(contents))
    assert "model/guard.safetensors" in read_manifest(tmp_path / "samples")
    (tmp_path / "classifier").mkdir()
    verdict = {**contents.verdict, "set": ["classifier"], "withheld": ["samples"]}
    write_bundle(tmp_path / "classifier", replace(contents, verdict=verdict))
    assert "model/guard.safetensors" not in read_manifest(tmp_path / "classifier")
    assert "guard" not in (tmp_path / "classifier" / "README.md").read_text(encoding="utf-8")


def test_the_card_s_lines_about_the_guard_raise_the_guard_s_alarms(bundle, source, contents, monkeypatch):
    text = (bundle / "README.md").read_text(encoding="utf-8").partition("## The guard")[2]
    monkeypatch.chdir(bundle)
    images = read_images(source)
    known = {"pixels": images.images.transpose(0, 3, 1, 2)}
    exec(compile(text.partition("```python")[2].partition("```")[0], "README.md", "exec"), known)
    guard = load_guard(contents.guard)
    assert known["unusual"].tolist() == guard.alarms(images.tensors()[0], name="novelty").tolist()
    assert known["unusual"].sum() == 30
