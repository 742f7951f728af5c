"""The stage: files in, a verdict and a classifier out; bad input is one line and leaves nothing."""

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.kinds import Kind
from mintmark.classify.model import load_classifier, logits
from mintmark.classify.private_training import PrivateRecipe
from mintmark.data.images import ImageSet, read_images, to_unit, write_images
from mintmark.differential.accountant import Budget
from mintmark.evidence import read_report
from mintmark.semi_supervised import recipe as semi_supervised
from mintmark.utility.arms import ARMS, Mixture
from mintmark.utility.curve import LearningCurve
from mintmark.utility.labellers import Spreading, Unlabelled
from tasks.evaluate import Params, Training, run
from tasks.params import load

ROOT = Path(__file__).parents[2]
PARAMS = Params(
    seed=1,
    threads=1,
    workers=1,
    device="cpu",
    deterministic=True,
    margin=0.01,
    looks=(5,),
    num_tuning_seeds=1,
    shippable=("synthetic",),
    learning_curve=LearningCurve(fractions=(0.5,), num_seeds=2),
    training=Training(steps=40, batch_size=16, learning_rate=0.01, weight_decay=0.01, width=4),
    classifier=Kind(),
    unlabelled=Unlabelled(
        share=0.5,
        confidence=0.5,
        spreading=Spreading(neighbours=7, alpha=0.9),
        gan=semi_supervised.Recipe(
            form="dense",
            steps=10,
            latent_size=4,
            generator_width=8,
            discriminator_width=8,
            input_noise=0.1,
            hidden_noise=0.1,
            labelled_batch_size=10,
            batch_size=10,
            learning_rate=2e-3,
            beta1=0.5,
            adversarial_weight=1.0,
            ema_decay=0.9,
            precision="float32",
        ),
    ),
    augmentations=(Augmentation(shift=0.1), Augmentation(operations=1, magnitude=0.2)),
    flip=0.5,
    mixtures=(Mixture(share=0.5, labels="hard"), Mixture(share=0.5, labels="soft")),
    privacy=None,
)


def lay_out(folder: Path, digits: ImageSet) -> Path:
    """Four parts of the digits; ten of the training records lose their label."""
    rows = np.random.default_rng(0).permutation(len(digits))
    parts = {"split/train": rows[:160], "split/validation": rows[160:220], "split/test": rows[220:400]}
    for name, chosen in (parts | {"anonymise/release": rows[400:700]}).items():
        images = digits.take(chosen)
        if name == "split/train":
            images.codes[:10] = -1
        write_images(folder / f"{name}.parquet", images)
    return folder


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, digits) -> Path:
    data_dir = lay_out(tmp_path_factory.mktemp("evaluate"), digits)
    run(PARAMS, data_dir)
    return data_dir


def test_the_stage_writes_its_outputs_and_nothing_else(evaluated):
    names = {path.name for path in (evaluated / "evaluate").iterdir()}
    assert names == {"classifier.safetensors", "report.json", "metrics.json", "arms.csv", "arms.png"}


def test_the_report_tells_the_verdict_the_counts_and_the_cost(evaluated):
    report = read_report(evaluated / "evaluate")
    assert report.verdict in {"helps", "within margin", "hurts", "no evidence", "inconclusive"}
    assert report.facts["records"]["train"] == {"labelled": 150, "unlabelled": 10}
    fits = 3 + 2 * 2 + (len(ARMS) + 3 + 5) * 5 + 2 * 2
    assert report.cost["classifiers"] == fits
    assert report.cost["gradient_steps"] == fits * 40
    assert report.cost["flops"] == fits * report.cost["flops_a_classifier"] > 0
    assert [one["real_records"] for one in report.facts["learning_curve"]] == [76, 150, 210]
    assert report.facts["seeds"]["used"] == 5
    assert "accuracy changes by" in report.facts["summary"][0]
    assert report.cost["labeller_steps"] == 2 * 5 * 10  # the GAN's and its control's, five seeds, ten steps
    students = {"self_trained", "supervised_student", "spread_student", "network_student", "gan_student"}
    assert set(report.facts["students"]) == students
    assert report["self_trained_accuracy"].n == 180
    assert report["real_accuracy"].n == 180
    assert report["trts_accuracy"].n == 300


def test_the_classifier_that_is_kept_is_the_one_that_was_measured(evaluated):
    report = read_report(evaluated / "evaluate")
    loaded = load_classifier(evaluated / "evaluate" / "classifier.safetensors")
    test = read_images(evaluated / "split" / "test.parquet")
    right = logits(loaded.network, to_unit(test.images)).argmax(1).numpy() == test.codes
    assert report.facts["classifier"]["arm"] == loaded.facts["arm"] == "synthetic"
    assert report.facts["classifier"]["test_accuracy"] == pytest.approx(right.mean(), abs=1e-5)
    assert loaded.classes == test.classes


def test_the_table_of_arms_holds_every_network_and_agrees_with_the_report(evaluated):
    with (evaluated / "evaluate" / "arms.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == (len(ARMS) + 5) * 5
    report = read_report(evaluated / "evaluate")
    for arm in (*ARMS, "self_trained", "supervised_student"):
        found = np.mean([float(row["accuracy"]) for row in rows if row["arm"] == arm])
        assert found == pytest.approx(report[f"{arm}_accuracy"].value, abs=1e-5)


def test_the_same_inputs_give_the_same_bytes(evaluated, tmp_path, digits):
    again = lay_out(tmp_path, digits)
    run(replace(PARAMS, workers=2), again)
    for name in ("report.json", "metrics.json", "arms.csv", "arms.png", "classifier.safetensors"):
        assert (again / "evaluate" / name).read_bytes() == (evaluated / "evaluate" / name).read_bytes(), name


def test_the_params_file_s_own_section_is_valid():
    assert load("evaluate", Params, path=ROOT / "params.yaml").looks[0] >= 5


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("looks", (4, 8), r"looks must be rising numbers of seeds from 5 on, got \[4, 8\]"),
        ("learning_curve", LearningCurve(fractions=(), num_seeds=6), "must not exceed the first of looks, got 6 and 5"),
        ("flip", 1.5, "flip must lie in 0..1, got 1.5"),
        ("shippable", (), "shippable must hold at least one"),
        ("margin", -0.1, "margin must lie in"),
        ("workers", 0, "workers must be at least 1"),
    ],
)
def test_a_wrong_param_is_named(key, value, message):
    with pytest.raises(ValueError, match=message):
        replace(PARAMS, **{key: value})


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        (Kind(name="logistic", components=20), "LinearClassifier"),
        pytest.param(Kind(name="boosting", components=4), "SmallCNN", marks=pytest.mark.nightly),
        (Kind(name="mintmark.classify.networks:LinearClassifier"), "Imported"),
    ],
)
def test_any_kind_of_classifier_can_learn_and_the_file_holds_weights(tmp_path, digits, kind, model):
    """Boosted trees hold the contest and cannot ship; a built-in network of the same arm stands in."""
    lay_out(tmp_path, digits)
    short = replace(PARAMS.training, steps=6)
    run(replace(PARAMS, classifier=kind, training=short, flip=0.0, augmentations=(Augmentation(),)), tmp_path)
    report = read_report(tmp_path / "evaluate")
    assert report["real_accuracy"].value is not None
    assert report["real_accuracy"].value > 0.2
    assert report.facts["classifier"]["model"] == model
    assert ("flops" in report.cost) == kind.takes_steps
    loaded = load_classifier(tmp_path / "evaluate" / "classifier.safetensors")
    test = read_images(tmp_path / "split" / "test.parquet")
    right = logits(loaded.network, to_unit(test.images)).argmax(1).numpy() == test.codes
    assert report.facts["classifier"]["test_accuracy"] == pytest.approx(right.mean(), abs=1e-5)
    assert ("recipe" in loaded.facts) == (model == "SmallCNN")


@pytest.mark.parametrize("fractions", [(0.0,), (0.5, 0.25), (1.0,)])
def test_fractions_that_do_not_rise_between_nothing_and_all_are_refused(fractions):
    with pytest.raises(ValueError, match="fractions must rise between 0 and 1"):
        LearningCurve(fractions=fractions, num_seeds=2)


def test_an_empty_release_is_one_line_on_the_command_line(tmp_path, digits):
    lay_out(tmp_path / "data", digits)
    write_images(tmp_path / "data" / "anonymise" / "release.parquet", digits.take(np.array([], int)))
    YAML().dump({"evaluate": YAML(typ="safe").load(ROOT / "params.yaml")["evaluate"]}, tmp_path / "params.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "tasks.evaluate"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "evaluate: data/anonymise/release.parquet: expected at least 2 labelled records, got 0"
    ]
    assert not (tmp_path / "data" / "evaluate").exists()


def test_a_private_classifier_is_the_one_kept_and_states_its_epsilon(tmp_path, digits):
    budget = Budget(epsilon=6.0, delta=1e-3, max_grad_norm=1.0)
    private = PrivateRecipe(budget=budget, steps=10, batch_size=50, learning_rate=0.01, width=4)
    lay_out(tmp_path, digits)
    short = replace(PARAMS.training, steps=4)
    run(replace(PARAMS, training=short, flip=0.0, augmentations=(Augmentation(),), privacy=private), tmp_path)
    report = read_report(tmp_path / "evaluate")
    loaded = load_classifier(tmp_path / "evaluate" / "classifier.safetensors")
    assert loaded.facts["arm"] == report.facts["classifier"]["arm"] == "private"
    assert 5.9 < loaded.facts["privacy"]["epsilon"] <= 6.0
    assert report["epsilon"].value == pytest.approx(loaded.facts["privacy"]["epsilon"], rel=1e-5)
    assert loaded.facts["privacy"]["sample_rate"] == pytest.approx(50 / 150)
    assert report["private_accuracy"].n == 180
    accuracy = report["private_accuracy"]
    assert (accuracy.low or 0.0) <= (accuracy.value or 0.0) <= (accuracy.high or 0.0)
    assert report.cost["private_gradient_steps"] == 5 * 10
    assert "recipe" not in loaded.facts  # no shadow is trained by it
