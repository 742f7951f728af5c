"""The stage shadow, from files to files: none by default, and real ones where they are asked for."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.model import load_classifier, logits, save_classifier
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import read_images, write_images
from mintmark.differential.accountant import Budget, spending
from mintmark.errors import BadInput
from mintmark.gan.model import load_discriminator, load_generator, save_generator
from mintmark.gan.networks import Generator
from mintmark.shadow.canaries import read_canaries
from mintmark.shadow.pace import Pace
from mintmark.shadow.recipes import classifier_recipe, gan_recipe
from mintmark.shadow.store import read_store
from tasks.params import load
from tasks.shadow import Params, run
from tasks.train_gan import Params as TrainGan

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Recipe(
    steps=30, batch_size=16, learning_rate=5e-3, weight_decay=0.0, width=4, augmentation=Augmentation(shift=0.1)
)
CONFIG = replace(
    load("train_gan", TrainGan, path=ROOT / "params.yaml").recipe,
    latent_size=4,
    generator_width=4,
    discriminator_width=4,
    batch_size=8,
)


def params(**changes: Any) -> Params:
    none: dict[str, Any] = {"num_classifiers": 0, "num_generators": 0, "num_canaries": 0}
    apart: dict[str, Any] = {"seed": 0, "threads": 1, "workers": 1, "device": "cpu", "classifiers": "one_by_one"}
    return Params(**(apart | none | changes))


@pytest.fixture
def data_dir(tmp_path: Path, toy_images) -> Path:
    train, test = toy_images(num=60, seed=0), toy_images(num=40, seed=1)
    write_images(tmp_path / "split" / "train.parquet", train)
    write_images(tmp_path / "split" / "test.parquet", test)
    images, codes = train.tensors()
    network = train_classifier(images, codes, num_classes=3, recipe=RECIPE, seed=0)
    target = tmp_path / "evaluate" / "classifier.safetensors"
    save_classifier(target, network, classes=train.classes, facts={"recipe": asdict(RECIPE)})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(shape=(8, 8, 1), num_classes=3, latent_size=4, width=4)
    target = tmp_path / "train_gan" / "generator.safetensors"
    save_generator(target, generator, classes=train.classes, facts={"recipe": asdict(CONFIG), "steps": 5})
    return tmp_path


def test_none_are_trained_unless_asked_for(tmp_path: Path):
    run(params(), tmp_path)
    models = tmp_path / "shadow" / "models"
    assert [path.name for path in models.iterdir()] == ["index.json"]
    store = read_store(models)
    assert not store.classifiers
    assert not store.generators


def test_the_recipe_is_the_targets(data_dir: Path):
    assert classifier_recipe(data_dir / "evaluate" / "classifier.safetensors") == RECIPE
    found = gan_recipe(data_dir / "train_gan" / "generator.safetensors")
    assert (asdict(found.config), found.steps) == (asdict(CONFIG), 5)


def test_shadows_are_really_trained_each_on_its_own_half(data_dir: Path):
    run(params(num_classifiers=2, num_generators=1), data_dir)
    store = read_store(data_dir / "shadow" / "models")
    assert list(store.classifiers) == ["classifier-0", "classifier-1"]
    pool = [read_images(data_dir / "split" / f"{name}.parquet") for name in ("train", "test")]
    ids = [one for part in pool for one in part.ids]
    trained_on = store.membership([*store.classifiers, *store.generators], ids)
    assert trained_on.sum(axis=1).tolist() == pytest.approx([50, 50, 50], abs=2)
    assert (trained_on[0] != trained_on[1]).all()
    assert (trained_on[0] != trained_on[2]).any()
    images, codes = (torch.cat(parts) for parts in zip(*(part.tensors() for part in pool), strict=True))
    networks = [load_classifier(path).network for path in store.classifiers.values()]
    answers = [logits(network, images) for network in networks]
    assert all(float((answer.argmax(dim=1) == codes).float().mean()) > 0.8 for answer in answers)
    assert not torch.equal(*answers)
    assert load_generator(store.generators["gan-0"]).classes == pool[0].classes
    assert load_discriminator(store.discriminators["gan-0"]).network.shape == (8, 8, 1)
    index = json.loads((data_dir / "shadow" / "models" / "index.json").read_text())
    assert index["facts"]["classifier"]["augmentation"]["shift"] == 0.1


def test_classifiers_trained_together_are_those_trained_one_by_one_up_to_rounding(data_dir: Path):
    models, found = data_dir / "shadow" / "models", {}
    for way in ("one_by_one", "together"):
        run(params(num_classifiers=3, classifiers=way), data_dir)
        assert json.loads((models / "index.json").read_text())["facts"]["classifier"]["trained"] == way
        found[way] = [load_classifier(path).network.state_dict() for path in read_store(models).classifiers.values()]
    for alone, stacked in zip(*found.values(), strict=True):
        for name, tensor in alone.items():
            torch.testing.assert_close(stacked[name], tensor, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(("seconds", "way"), [((2.0, 1.0), "together"), ((1.0, 2.0), "one_by_one")])
def test_which_way_is_faster_is_measured(data_dir: Path, monkeypatch: pytest.MonkeyPatch, seconds, way: str):
    monkeypatch.setattr("tasks.shadow.pace.measure", lambda *_, **__: Pace(*seconds))
    run(params(num_classifiers=2, classifiers="auto"), data_dir)
    index = json.loads((data_dir / "shadow" / "models" / "index.json").read_text())
    assert index["facts"]["classifier"]["trained"] == way


def test_the_same_params_give_the_same_bytes_and_another_seed_other_coins(data_dir: Path):
    models = data_dir / "shadow" / "models"

    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in models.iterdir()}

    run(params(num_classifiers=2), data_dir)
    first = contents()
    run(params(num_classifiers=2), data_dir)
    assert contents() == first
    coins = pq.read_table(models / "coins.parquet").to_pydict()
    run(params(num_classifiers=2, seed=1), data_dir)
    other = pq.read_table(models / "coins.parquet").to_pydict()
    assert coins["id"] == other["id"]
    assert coins["classifier-0"] != other["classifier-0"]


def test_twins_learn_the_training_records_and_the_planted_canaries(data_dir: Path):
    run(params(num_canaries=30), data_dir)
    models = data_dir / "shadow" / "models"
    store, canaries = read_store(models), read_canaries(models)
    assert canaries is not None
    assert len(canaries.images) == 30
    assert set(store.twins) == {"classifier", "generator", "discriminator"}
    assert not store.classifiers
    assert not store.generators
    assert load_classifier(store.twins["classifier"]).classes == canaries.images.classes
    assert load_generator(store.twins["generator"]).classes == canaries.images.classes
    tests = {image.tobytes() for image in read_images(data_dir / "split" / "test.parquet").images}
    natural = canaries.images.take(canaries.of_kind("natural"))
    assert {image.tobytes() for image in natural.images} <= tests


def test_shadows_of_a_classifier_that_synthetic_records_taught_are_taught_by_shadow_generators(data_dir: Path):
    path = data_dir / "evaluate" / "classifier.safetensors"
    kept = load_classifier(path)
    facts = {"recipe": asdict(RECIPE), "arm": "synthetic", "synthetic_records": 50}
    save_classifier(path, kept.network, classes=kept.classes, facts=facts)
    run(params(num_classifiers=2, num_generators=2, num_canaries=3), data_dir)
    store = read_store(data_dir / "shadow" / "models")
    for place in range(2):
        assert store.trained_on[f"classifier-{place}"] == store.trained_on[f"gan-{place}"]
    index = json.loads((data_dir / "shadow" / "models" / "index.json").read_text())
    assert index["facts"]["classifier"]["synthetic_records"] == 50
    images = read_images(data_dir / "split" / "test.parquet").tensors()[0]
    taught = [logits(load_classifier(path).network, images) for path in store.classifiers.values()]
    run(params(num_classifiers=2), data_dir)
    real = read_store(data_dir / "shadow" / "models").classifiers.values()
    others = [logits(load_classifier(path).network, images) for path in real]
    assert not any(torch.equal(one, other) for one, other in zip(taught, others, strict=True))
    with pytest.raises(BadInput, match="expected at most num_generators"):
        run(params(num_classifiers=3, num_generators=2), data_dir)


def test_more_canaries_than_spare_records_are_refused(data_dir: Path):
    with pytest.raises(BadInput, match=r"num_canaries must be a multiple of 3 and at most 3/2 of the 40"):
        run(params(num_canaries=300), data_dir)


def start(folder: Path, **changes: int) -> subprocess.CompletedProcess[str]:
    (folder / "params.yaml").write_text(json.dumps({"shadow": asdict(params(**changes))}))
    return subprocess.run(
        [sys.executable, "-m", "tasks.shadow"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_weights_that_do_not_tell_their_recipe_are_refused_in_one_line(tmp_path: Path, data_dir: Path):
    for name in ("split", "evaluate"):
        (tmp_path / "data" / name).parent.mkdir(exist_ok=True)
        (data_dir / name).rename(tmp_path / "data" / name)
    path = tmp_path / "data" / "evaluate" / "classifier.safetensors"
    kept = load_classifier(path)
    save_classifier(path, kept.network, classes=kept.classes, facts={})
    done = start(tmp_path, num_classifiers=2)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "recipe" in done.stderr
    assert not (tmp_path / "data" / "shadow" / "models").exists()


@pytest.mark.parametrize(("key", "value"), [("threads", 0), ("workers", 0), ("num_classifiers", -1)])
def test_a_wrong_param_is_named(key: str, value: int):
    with pytest.raises(ValueError, match=key):
        params(**{key: value})


def test_a_record_without_coins_is_named_as_a_fault_of_the_input(data_dir: Path):
    run(params(num_classifiers=2), data_dir)
    with pytest.raises(BadInput, match="shadow models"):
        read_store(data_dir / "shadow" / "models").membership(["classifier-0"], ["nobody"])


def test_a_private_generators_twin_is_trained_by_the_same_mechanism(data_dir: Path):
    path = data_dir / "train_gan" / "generator.safetensors"
    private = {"loss": "hinge", "r1_weight": 0.0, "r2_weight": 0.0, "diversity_weight": 0.0, "precision": "float32"}
    config = replace(CONFIG, **private)
    spent = spending(Budget(epsilon=5.0, delta=1e-3, max_grad_norm=1.0), num_records=60, batch_size=8, steps=5)
    facts = {"recipe": asdict(config), "steps": 5, "privacy": spent.as_json()}
    loaded = load_generator(path)
    save_generator(path, loaded.network, classes=loaded.classes, facts=facts)
    assert gan_recipe(path).privacy == spent
    run(params(num_canaries=30), data_dir)
    twin = read_store(data_dir / "shadow" / "models").twins["discriminator"]
    noisy = load_discriminator(twin).network.state_dict()
    assert all(torch.isfinite(one).all() for one in noisy.values())
    save_generator(path, loaded.network, classes=loaded.classes, facts=facts | {"privacy": None})
    run(params(num_canaries=30), data_dir)
    plain = load_discriminator(twin).network.state_dict()
    assert any(not torch.equal(noisy[name], plain[name]) for name in noisy)


def test_where_the_classifier_tells_no_recipe_the_generator_alone_has_a_twin(data_dir: Path):
    path = data_dir / "evaluate" / "classifier.safetensors"
    kept = load_classifier(path)
    save_classifier(path, kept.network, classes=kept.classes, facts={"arm": "private"})
    run(params(num_canaries=30), data_dir)
    assert set(read_store(data_dir / "shadow" / "models").twins) == {"generator", "discriminator"}
