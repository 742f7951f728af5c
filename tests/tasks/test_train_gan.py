"""The stage train_gan, from files to files."""

import csv
import json

import numpy as np
import pytest

from mintmark import weights
from mintmark.data.images import ImageSet, read_images
from mintmark.data.records import Form, RecordWriter
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from mintmark.gan.model import load_discriminator, load_generator
from mintmark.shadow.recipes import gan_recipe
from tasks.generate import Params as Generate
from tasks.generate import run as generate
from tasks.params import build
from tasks.train_gan import run
from tests.tasks.learning import (
    OUTS,
    PRIVATE,
    PSEUDO_LABELS,
    SECTION,
    outs_of,
    params_of,
    start,
    stop_after,
    with_codes,
    write_split,
)


def test_it_writes_every_out_and_nothing_else(gan_dir):
    run(params_of(), gan_dir)
    assert {path.name for path in (gan_dir / "train_gan").iterdir()} == OUTS
    generator = load_generator(gan_dir / "train_gan" / "generator.safetensors")
    discriminator = load_discriminator(gan_dir / "train_gan" / "discriminator.safetensors")
    assert generator.classes == discriminator.classes == ("class-0", "class-1", "class-2")
    assert generator.network.shape == discriminator.network.shape == (8, 8, 1)
    with (gan_dir / "train_gan" / "history.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["step"] for row in rows] == ["2", "4", "5"]
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())


def test_the_weights_tell_their_recipe_so_that_a_shadow_can_follow_it(gan_dir):
    params = params_of()
    run(params, gan_dir)
    found = gan_recipe(gan_dir / "train_gan" / "generator.safetensors")
    assert (found.config, found.steps) == (params.recipe.settled((8, 8, 1), num_records=60), 5)


def test_open_sizes_are_settled_by_the_records_and_told_to_the_shadows(gan_dir):
    run(params_of(steps=1, recipe=SECTION["recipe"] | {"batch_size": "auto", "discriminator_width": "auto"}), gan_dir)
    config = gan_recipe(gan_dir / "train_gan" / "generator.safetensors").config
    assert (config.batch_size, config.discriminator_width, config.generator_width) == (32, 16, 4)


def test_the_report_measures_memory_and_coverage_with_intervals(gan_dir):
    run(params_of(), gan_dir)
    report = read_report(gan_dir / "train_gan")
    for name in ("train_validation_logit_auc", "validation_coverage", "validation_coverage_by_train"):
        found = report[name]
        assert None not in {found.value, found.low, found.high}
        assert 0 <= found.low <= found.value <= found.high <= 1  # type: ignore[operator]
    assert report["validation_coverage"].control == "validation_coverage_by_train"
    assert report["validation_coverage_by_train"].value > 0.8  # type: ignore[operator]
    assert report["unlabelled_left_out"].value == 0
    assert report.facts["train_records"] == {"class-0": 20, "class-1": 20, "class-2": 20}
    assert report.facts["precision"] == "float32"
    assert report.cost["steps"] == 5
    assert report.cost["training_flops_without_penalty"] > 0


def test_what_went_wrong_is_said_in_the_report_and_at_the_end_of_the_log(gan_dir, capsys):
    run(params_of(), gan_dir)  # five steps: grey noise
    report = read_report(gan_dir / "train_gan")
    (sentence, *_) = report.facts["findings"]
    assert sentence.startswith("The generator ")
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("train_gan: The")] == [
        f"train_gan: {one}" for one in report.facts["findings"]
    ]
    assert report["class_spread_least"].value <= report["class_spread_median"].value  # type: ignore[operator]
    assert report["logit_gap"].value is None  # three rows have no quarters


WASSERSTEIN = {"loss": "wasserstein", "r1_weight": 0.0, "r2_weight": 0.0, "lipschitz_weight": 10.0}
ADAPTIVE = {"loss": "non-saturating", "adaptive": {"target": 0.1, "interval": 1, "ramp": 100}}


@pytest.mark.parametrize(
    "choice",
    [{"loss": "hinge"}, WASSERSTEIN, {"conditioning": "auxiliary"}, {"conditioning": "per_class"}, ADAPTIVE],
    ids=["hinge", "wasserstein", "auxiliary", "per_class", "adaptive"],
)
def test_every_choice_trains_resumes_and_generates_by_class(gan_dir, monkeypatch, choice):
    params = params_of(recipe=SECTION["recipe"] | choice)
    run(params, gan_dir)
    straight = outs_of(gan_dir)
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            run(params, gan_dir)
    run(params, gan_dir)
    assert outs_of(gan_dir) == straight
    assert gan_recipe(gan_dir / "train_gan" / "generator.safetensors").config == params.recipe.settled(
        (8, 8, 1), num_records=60
    )
    section = {"seed": 3, "threads": 1, "device": "cpu", "rows": 9, "classes": {"class-2": 1.0}, "batch_size": 4}
    generate(build(Generate, section, name="generate"), gan_dir)
    images = read_images(gan_dir / "generate" / "synthetic.parquet")
    assert (len(images), images.shape, set(images.codes.tolist())) == (9, (8, 8, 1), {2})


def test_the_same_inputs_give_the_same_bytes_and_another_seed_does_not(gan_dir):
    run(params_of(), gan_dir)
    first = outs_of(gan_dir)
    run(params_of(), gan_dir)
    assert outs_of(gan_dir) == first
    run(params_of(seed=2), gan_dir)
    assert outs_of(gan_dir)["generator.safetensors"] != first["generator.safetensors"]


def test_unlabelled_records_are_left_out_and_counted(gan_dir, tmp_path, toy_images):
    run(params_of(), gan_dir)
    expected = outs_of(gan_dir)["generator.safetensors"]
    labelled, extra = toy_images(num=60), toy_images(num=9, seed=5)
    both = ImageSet(
        ids=[*labelled.ids, *extra.ids],
        codes=np.concatenate([labelled.codes, np.full(9, -1)]),
        images=np.concatenate([labelled.images, extra.images]),
        classes=labelled.classes,
    )
    other = write_split(tmp_path / "other", both, toy_images(num=30, seed=1))
    run(params_of(), other)
    assert read_report(other / "train_gan")["unlabelled_left_out"].value == 9
    assert outs_of(other)["generator.safetensors"] == expected


def test_unlabelled_records_take_part_with_the_class_that_models_give_them(tmp_path, toy_images):
    """With a confidence of 0 every record is taken; the files say that unlabelled records were learnt from."""
    hidden = toy_images(num=30)
    codes = np.where(np.arange(30) < 12, hidden.codes, -1)
    split = write_split(tmp_path, with_codes(hidden, codes), toy_images(num=30, seed=1))
    run(params_of(), split)
    before = outs_of(split)["generator.safetensors"]
    run(params_of(pseudo_labels=PSEUDO_LABELS), split)
    report = read_report(split / "train_gan")
    assert report["pseudo_labelled"].value == 18
    assert report["unlabelled_left_out"].value == 0
    assert sum(report.facts["train_records"].values()) == 30
    assert outs_of(split)["generator.safetensors"] != before
    for name in ("generator", "discriminator"):
        assert weights.load(split / "train_gan" / f"{name}.safetensors")[1]["facts"]["unlabelled_records"] == 18


def test_without_labelled_validation_the_signs_are_unknown_and_training_goes_on(tmp_path, toy_images):
    validation = toy_images(num=3)
    gan_dir = write_split(tmp_path, toy_images(num=6), with_codes(validation, np.full(3, -1)))
    run(params_of(), gan_dir)
    report = read_report(gan_dir / "train_gan")
    assert report["train_validation_logit_auc"].value is None
    assert report["validation_coverage"].value is None


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8, 2), (10, 12, 3)])
def test_one_class_of_few_records_trains_at_any_shape(tmp_path, shape):
    images = np.random.default_rng(0).integers(0, 256, (4, *shape)).astype(np.uint8)
    few = ImageSet(ids=list("abcd"), codes=np.zeros(4, np.int64), images=images, classes=("only",))
    gan_dir = write_split(tmp_path, few, few)
    run(params_of(), gan_dir)
    assert load_generator(gan_dir / "train_gan" / "generator.safetensors").network.shape == shape


def test_a_class_without_records_is_named(tmp_path, toy_images):
    images = toy_images(num=10, num_classes=3)
    gan_dir = write_split(tmp_path, with_codes(images, images.codes % 2), images)
    with pytest.raises(
        BadInput, match=r"train\.parquet: expected labelled records of every class, got none of \['class-2'"
    ):
        run(params_of(), gan_dir)


@pytest.mark.parametrize(("size", "channels"), [(7, 1), (8, 5), (257, 1)])
def test_images_too_small_large_or_deep_are_refused(tmp_path, size, channels):
    images = np.zeros((2, size, size, channels), np.uint8)
    few = ImageSet(ids=["a", "b"], codes=np.zeros(2, np.int64), images=images, classes=("only",))
    with pytest.raises(BadInput, match=f"got {size}x{size}x{channels}"):
        run(params_of(), write_split(tmp_path, few, few))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"checkpoint_every": 3}, "checkpoint_every must be a multiple of history_every, got 3 and 2"),
        ({"device": "tpu"}, "device must be one of"),
    ],
)
def test_params_out_of_range_are_refused_by_name(changes, words):
    with pytest.raises(ValueError, match=words):
        params_of(**changes)


def test_a_diverging_training_stops_with_one_line_and_no_outs(tmp_path, toy_images):
    write_split(tmp_path, toy_images(num=60), toy_images(num=30, seed=1))
    recipe = SECTION["recipe"] | {"discriminator_learning_rate": 1.0e30}
    process = start(tmp_path, SECTION | {"recipe": recipe, "steps": 50})
    _, said = process.communicate(timeout=200)
    assert process.returncode == 1
    (line,) = [one for one in said.splitlines() if not one.startswith("progress")]
    assert line.startswith("train_gan: training diverged at step ")
    assert not (tmp_path / "data" / "train_gan").exists()


def test_records_of_another_kind_are_refused_in_one_line(tmp_path):
    form = Form(kind="series", classes=("a",), shape=(16, 1))
    with RecordWriter(tmp_path / "data" / "split" / "train.parquet", form):
        pass
    process = start(tmp_path, SECTION)
    _, said = process.communicate(timeout=200)
    assert process.returncode == 1
    assert said.count("\n") == 1
    assert "expected records of kind 'image', got kind 'series'" in said
    assert not (tmp_path / "data" / "train_gan").exists()


def test_the_report_is_json_without_ids(gan_dir):
    run(params_of(), gan_dir)
    text = (gan_dir / "train_gan" / "report.json").read_text()
    json.loads(text)
    assert not any(one in text for one in read_images(gan_dir / "split" / "train.parquet").ids)


def test_private_training_states_its_epsilon_in_every_file(gan_dir):
    run(params_of(**PRIVATE), gan_dir)
    folder = gan_dir / "train_gan"
    measured = read_report(folder)["epsilon"]
    assert measured.value is not None
    assert 2.9 < measured.value <= 3.0
    for name in ("generator", "discriminator"):
        privacy = weights.load(folder / f"{name}.safetensors")[1]["facts"]["privacy"]
        assert privacy["epsilon"] == pytest.approx(measured.value, rel=1e-5)
        assert {key: privacy[key] for key in ("delta", "max_grad_norm", "steps")} == {
            "delta": 1e-3,
            "max_grad_norm": 1.0,
            "steps": 5,
        }
        assert privacy["sample_rate"] == pytest.approx(12 / measured.n)
    spent = gan_recipe(folder / "generator.safetensors").privacy
    assert spent is not None
    assert spent.epsilon == pytest.approx(measured.value, rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": SECTION["recipe"]}, r"train_gan\.recipe\.loss must be one of"),
        ({"pseudo_labels": PSEUDO_LABELS}, r"train_gan\.pseudo_labels must be null under privacy"),
        ({"privacy": {"epsilon": 0.0, "delta": 1.0e-3, "max_grad_norm": 1.0}}, r"privacy\.epsilon must be above 0"),
    ],
)
def test_what_cannot_be_private_is_refused_in_one_line(changes, said):
    with pytest.raises(ValueError, match=said):
        params_of(**(PRIVATE | changes))


def test_a_delta_as_large_as_a_records_share_is_refused(gan_dir):
    privacy = {"epsilon": 3.0, "delta": 0.5, "max_grad_norm": 1.0}
    with pytest.raises(BadInput, match=r"train_gan\.privacy\.delta must be below"):
        run(params_of(**(PRIVATE | {"privacy": privacy})), gan_dir)
