"""The stage detect, from files to files."""

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from sklearn.metrics import auc

from mintmark.anomaly.anogan import Search
from mintmark.anomaly.descent import Training
from mintmark.anomaly.embedding import Embedding
from mintmark.anomaly.family import MODULES, NearestRecipe, PcaRecipe
from mintmark.anomaly.measurements import Rates
from mintmark.anomaly.model import STEP, load_guard
from mintmark.anomaly.screening import Planting, Screening
from mintmark.classify.model import save_classifier
from mintmark.classify.networks import LinearClassifier
from mintmark.data.images import read_images, synthetic_ids, write_images
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from mintmark.gan.model import save_discriminator, save_generator
from mintmark.gan.networks import Discriminator, Generator
from tasks.detect import Params, run
from tasks.params import load

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = load("detect", Params, path=ROOT / "params.yaml")
KINDS = ("pca_residual", "nearest", "anogan", "combination")
JUDGED = (*KINDS, "guard")
REJECTERS = ("combination", "guard", "confidence", "guard_and_confidence")
OUTPUTS = [
    "detector.safetensors",
    "explain.png",
    "metrics.json",
    "reject.csv",
    "reject.png",
    "report.json",
    "roc.csv",
    "roc.png",
    "suspects.parquet",
    "tsne.png",
]
PARAMS = Params(
    seed=0,
    threads=1,
    device="cpu",
    level=0.95,
    rates=Rates(novelty=0.1, anomaly=0.02),
    reference_share=0.5,
    max_records=40,
    corruptions={"erase_block": 0.6, "invert": 1.0},
    detectors=KINDS,
    recipes=dataclasses.replace(
        DEFAULT.recipes,
        pca_residual=PcaRecipe(num_components=4),
        nearest=NearestRecipe(num_neighbours=1),
        anogan=Search(
            num_steps=3, learning_rate=0.1, num_starts=2, bank_per_class=4, feature_weight=0.1, batch_size=64
        ),
    ),
    guard=PcaRecipe(num_components=3),
    corrupted_share=0.25,
    embedding=Embedding(max_records=10, mildness=0.3, perplexity=5.0),
    screening=Screening(
        folds=dataclasses.replace(
            DEFAULT.screening.folds, number=2, recipe=dataclasses.replace(DEFAULT.screening.folds.recipe, steps=40)
        ),
        num_neighbours=3,
        most_suspects=4,
        planting=Planting(share=0.1, draws=2, level=0.95),
    ),
)


def write_networks(folder: Path, *, size: int = 8) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(shape=(size, size, 1), num_classes=3, latent_size=4, width=4)
        discriminator = Discriminator(shape=(size, size, 1), num_classes=3, width=4)
    classes = ("class-0", "class-1", "class-2")
    save_generator(folder / "generator.safetensors", generator, classes=classes, facts={})
    save_discriminator(folder / "discriminator.safetensors", discriminator, classes=classes, facts={})


def write_classifier(path: Path, *, classes: tuple[str, ...]) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_classifier(path, LinearClassifier((8, 8, 1), len(classes)), classes=classes, facts={})


@pytest.fixture
def data_dir(tmp_path: Path, toy_images) -> Path:
    for seed, (part, num) in enumerate((("train", 60), ("validation", 40), ("test", 60))):
        write_images(tmp_path / "data" / "split" / f"{part}.parquet", toy_images(num=num, seed=seed))
    made = toy_images(num=90, seed=3)
    made = dataclasses.replace(made, ids=synthetic_ids(made.images, first=0))
    write_images(tmp_path / "data" / "anonymise" / "release.parquet", made)
    write_networks(tmp_path / "data" / "train_gan")
    write_classifier(tmp_path / "data" / "evaluate" / "classifier.safetensors", classes=made.classes)
    return tmp_path / "data"


def images_of(path: Path) -> torch.Tensor:
    return read_images(path).tensors()[0]


def test_every_output_is_there_and_every_detector_is_measured(data_dir: Path):
    run(PARAMS, data_dir)
    assert sorted(one.name for one in (data_dir / "detect").iterdir()) == OUTPUTS
    report = read_report(data_dir / "detect")
    for kind in JUDGED:
        for name in (
            f"{kind}_auroc",
            f"{kind}_auroc_invert",
            f"{kind}_normals_auroc",
            f"{kind}_novelty_detection_rate",
        ):
            found = report[name]
            assert found.value is not None
            assert found.low is not None
            assert found.high is not None
            assert found.low <= found.value <= found.high
    assert [report[f"{kind}_auroc"].n for kind in JUDGED] == [60] * 5
    assert [report[f"{kind}_novelty_false_alarm_rate"].n for kind in JUDGED] == [30] * 5
    assert set(json.loads((data_dir / "detect" / "metrics.json").read_text())) == {f"{kind}_auroc" for kind in JUDGED}
    assert report.facts["records"] == {
        "references": 20,
        "calibration": 20,
        "normals": 30,
        "anomalies": {"erase_block": 15, "invert": 15},
    }
    assert report.cost == {"latent_search_steps": 3, "latents_searched": 200, "images_generated": 12 + (200 + 24) * 4}


def test_negatives_are_found_by_the_baselines_and_the_score_keeps_its_promise(data_dir: Path):
    run(PARAMS, data_dir)
    report = read_report(data_dir / "detect")
    for kind in ("pca_residual", "nearest", "combination", "guard"):
        assert report[f"{kind}_auroc_invert"].value == 1.0
        assert (report[f"{kind}_novelty_false_alarm_rate"].low or 0) <= 0.1


def test_a_rate_that_the_calibration_records_do_not_resolve_is_said_to_be_unresolved(data_dir: Path):
    run(PARAMS, data_dir)
    report, guard = read_report(data_dir / "detect"), load_guard(data_dir / "detect" / "detector.safetensors")
    for kind in JUDGED:
        found = report[f"{kind}_anomaly_false_alarm_rate"]
        assert found.value is None
        assert "cannot be resolved: a rate of 2.0% takes at least 49 validation records, got 20" in found.note
    assert report.facts["thresholds"]["nearest"]["anomaly"] is None
    assert report.facts["false_alarm_rates"]["anomaly"] == {"asked": 0.02, "spread": None}
    assert set(guard.thresholds) == {"novelty"}


def test_every_kind_of_the_family_can_take_part(data_dir: Path):
    few = Training(steps=2, batch_size=16, learning_rate=1e-3, weight_decay=0.0)
    recipes = DEFAULT.recipes
    trained = {
        kind: dataclasses.replace(getattr(recipes, kind), width=8, training=few)
        for kind in ("autoencoder", "vae", "hybrid", "memory", "moves", "fanogan")
    }
    svdd = dataclasses.replace(recipes.deep_svdd, width=8, pretraining=few, training=few)
    recipes = dataclasses.replace(recipes, **trained, deep_svdd=svdd, anogan=PARAMS.recipes.anogan)
    kinds = tuple(MODULES)
    run(dataclasses.replace(PARAMS, detectors=kinds, recipes=recipes), data_dir)
    report = read_report(data_dir / "detect")
    assert report.headline == tuple(f"{kind}_auroc" for kind in (*kinds, "guard"))


def test_who_uses_the_generator_or_other_detectors_is_compared_with_each_simpler_one_on_the_same_records(
    data_dir: Path,
):
    run(PARAMS, data_dir)
    report = read_report(data_dir / "detect")
    compared = {one.name for one in report.measurements if "_minus_" in one.name and one.name.endswith("_auroc")}
    pairs = [("anogan", "pca_residual"), ("anogan", "nearest"), ("guard", "pca_residual")]
    pairs += [("combination", other) for other in KINDS[:3]]
    assert compared == {f"{kind}_minus_{other}_auroc" for kind, other in pairs}
    for kind, other in pairs:
        difference = (report[f"{kind}_auroc"].value or 0) - (report[f"{other}_auroc"].value or 0)
        assert report[f"{kind}_minus_{other}_auroc"].value == pytest.approx(difference, abs=1e-5)


def test_what_the_guard_gives_away_is_measured_on_training_records(data_dir: Path):
    run(PARAMS, data_dir)
    report, guard = read_report(data_dir / "detect"), load_guard(data_dir / "detect" / "detector.safetensors")
    train = guard.detector.score(images_of(data_dir / "split" / "train.parquet"))
    fresh = guard.detector.score(images_of(data_dir / "split" / "test.parquet"))
    assert report["guard_member_auroc"].n == 30 + 40
    expected = (fresh[:, None] > train).float().mean().item()  # of all records; the stage takes some of each
    assert report["guard_member_auroc"].value == pytest.approx(expected, abs=0.1)


def test_the_guard_is_the_same_whoever_was_trained_on_if_the_release_is_the_same(data_dir: Path, toy_images):
    run(PARAMS, data_dir)
    guard = (data_dir / "detect" / "detector.safetensors").read_bytes()
    report = (data_dir / "detect" / "report.json").read_bytes()
    write_images(data_dir / "split" / "train.parquet", toy_images(num=50, seed=9))
    run(PARAMS, data_dir)
    assert (data_dir / "detect" / "report.json").read_bytes() != report
    assert (data_dir / "detect" / "detector.safetensors").read_bytes() == guard


def test_of_the_validation_records_the_guard_holds_no_more_than_a_step_of_a_scale(data_dir: Path, toy_images):
    run(PARAMS, data_dir)
    first = load_guard(data_dir / "detect" / "detector.safetensors")
    write_images(data_dir / "split" / "validation.parquet", toy_images(num=40, seed=9))
    run(PARAMS, data_dir)
    second = load_guard(data_dir / "detect" / "detector.safetensors")
    assert torch.equal(first.detector.components, second.detector.components)
    assert torch.equal(first.detector.mean, second.detector.mean)
    steps = math.log(second.thresholds["novelty"] / first.thresholds["novelty"], STEP)
    assert steps == pytest.approx(round(steps), abs=1e-6)


def test_another_release_gives_another_guard(data_dir: Path, toy_images):
    run(PARAMS, data_dir)
    guard = load_guard(data_dir / "detect" / "detector.safetensors")
    torch.testing.assert_close(
        guard.detector.mean, images_of(data_dir / "anonymise" / "release.parquet").flatten(1).mean(dim=0)
    )
    made = toy_images(num=80, seed=8)
    write_images(data_dir / "anonymise" / "release.parquet", made)
    run(PARAMS, data_dir)
    other = load_guard(data_dir / "detect" / "detector.safetensors")
    assert not torch.equal(guard.detector.mean, other.detector.mean)


def test_the_guard_in_the_file_raises_the_alarms_that_the_report_counts(data_dir: Path):
    run(dataclasses.replace(PARAMS, max_records=100, corruptions={"invert": 1.0}), data_dir)
    report, guard = read_report(data_dir / "detect"), load_guard(data_dir / "detect" / "detector.safetensors")
    assert guard.thresholds["novelty"] == pytest.approx(report.facts["thresholds"]["guard"]["novelty"], rel=1e-5)
    inverted = -images_of(data_dir / "split" / "test.parquet")
    assert guard.alarms(inverted, name="novelty").float().mean() == report["guard_novelty_detection_rate"].value == 1.0
    validation = images_of(data_dir / "split" / "validation.parquet")
    assert guard.alarms(validation, name="novelty").float().mean() <= 0.2
    assert guard.classes == ("class-0", "class-1", "class-2")


def test_every_rejecter_is_judged_on_one_mixture_of_the_stated_share(data_dir: Path):
    run(PARAMS, data_dir)
    report, table = read_report(data_dir / "detect"), pd.read_csv(data_dir / "detect" / "reject.csv")
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


def test_what_rejects_is_set_by_validation_and_never_by_test(data_dir: Path, toy_images):
    run(PARAMS, data_dir)
    before = read_report(data_dir / "detect").facts["thresholds"]
    write_images(data_dir / "split" / "test.parquet", toy_images(num=60, seed=7))
    run(PARAMS, data_dir)
    assert read_report(data_dir / "detect").facts["thresholds"] == before
    assert set(before) == {*JUDGED, *REJECTERS}


def test_a_classifier_of_other_classes_is_refused(data_dir: Path):
    write_classifier(data_dir / "evaluate" / "classifier.safetensors", classes=("a", "b"))
    with pytest.raises(BadInput, match=r"expected a classifier of the classes .*'class-0'.* got \['a', 'b'\]"):
        run(PARAMS, data_dir)


def test_the_curves_have_the_areas_that_the_report_states(data_dir: Path):
    run(PARAMS, data_dir)
    report, table = read_report(data_dir / "detect"), pd.read_csv(data_dir / "detect" / "roc.csv")
    for kind in JUDGED:
        curve = table[table["detector"] == kind]
        area = auc(curve["false_alarm_rate"], curve["detection_rate"])
        assert area == pytest.approx(report[f"{kind}_auroc"].value, abs=1e-4)


def test_the_same_inputs_give_the_same_bytes_and_another_seed_another_trial_and_bank(data_dir: Path):
    run(PARAMS, data_dir)
    thresholds = read_report(data_dir / "detect").facts["thresholds"]
    first = {name: (data_dir / "detect" / name).read_bytes() for name in OUTPUTS}
    run(PARAMS, data_dir)
    assert first == {name: (data_dir / "detect" / name).read_bytes() for name in OUTPUTS}
    run(dataclasses.replace(PARAMS, seed=1), data_dir)
    assert first["report.json"] != (data_dir / "detect" / "report.json").read_bytes()
    assert read_report(data_dir / "detect").facts["thresholds"]["anogan"] != thresholds["anogan"]


def test_the_report_holds_no_record_id(data_dir: Path):
    run(PARAMS, data_dir)
    text = "".join(
        (data_dir / "detect" / name).read_text() for name in ("report.json", "metrics.json", "roc.csv", "reject.csv")
    )
    for part in ("train", "validation", "test"):
        assert not any(one in text for one in read_images(data_dir / "split" / f"{part}.parquet").ids)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"guard": PcaRecipe(num_components=65)}, "num_components: expected 1 to 64 with 90 normals"),
        (
            {"rates": Rates(novelty=0.01, anomaly=0.001)},
            r"calibration: expected at least 99 normals .* of 0\.01, got 20",
        ),
        ({"reference_share": 0.4}, "held_out: expected at least 20 normals, got 16"),
    ],
)
def test_too_few_normals_are_refused_and_nothing_is_written(data_dir: Path, changes: dict, message: str):
    with pytest.raises(BadInput, match=message):
        run(dataclasses.replace(PARAMS, **changes), data_dir)
    assert not (data_dir / "detect").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"max_records": 0}, "max_records must be at least 1, got 0"),
        ({"reference_share": 1.0}, "reference_share must be between 0 and 1, got 1.0"),
        ({"detectors": ("nearest", "nearest")}, "detectors must be some of .*, each once"),
        ({"level": 1.0}, "level must be between 0 and 1, got 1.0"),
        ({"corrupted_share": 0.0}, "corrupted_share must be between 0 and 1, got 0.0"),
        ({"corruptions": {}}, "corruptions must be some of"),
        ({"corruptions": {"melt": 0.5}}, r"corruptions must be some of \[.*\], got \['melt'\]"),
        ({"corruptions": {"invert": 1.5}}, "corruptions.invert must be above 0 and at most 1, got 1.5"),
    ],
)
def test_params_out_of_range_are_refused(changes: dict, message: str):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PARAMS, **changes)


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "params.yaml").write_text(json.dumps({"detect": dataclasses.asdict(PARAMS)}))
    return subprocess.run(
        [sys.executable, "-m", "tasks.detect"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_refuses_a_generator_of_another_shape_in_one_line_and_touches_nothing(data_dir: Path):
    write_networks(data_dir / "train_gan", size=10)
    (data_dir / "detect").mkdir()
    (data_dir / "detect" / "report.json").write_text("before")
    ended = start(data_dir.parent)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "detect: images: expected (height, width, channels) (10, 10, 1), the generator's, got (8, 8, 1)"
    ]
    assert [one.name for one in (data_dir / "detect").iterdir()] == ["report.json"]
    assert (data_dir / "detect" / "report.json").read_text() == "before"


def test_wrong_labels_and_strangers_among_the_training_records_are_listed(data_dir: Path):
    path = data_dir / "split" / "train.parquet"
    train = read_images(path)
    codes, images = train.codes.copy(), train.images.copy()
    codes[7], images[11] = (codes[7] + 1) % 3, 255 - images[11]
    write_images(path, dataclasses.replace(train, codes=codes, images=images))
    run(PARAMS, data_dir)
    suspects = pd.read_parquet(data_dir / "detect" / "suspects.parquet").set_index(["why", "id"])
    assert suspects.loc[("wrong label", train.ids[7]), "likelier"] == train.classes[train.codes[7]]
    assert suspects.loc["outlier"].index[0] == train.ids[11]
    found = read_report(data_dir / "detect")
    for kind in ("wrong_labels", "outliers"):
        precision = found[f"{kind}_average_precision"].value
        assert precision is not None
        assert precision > 0.4  # a tenth is planted
