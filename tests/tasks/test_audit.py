"""The stage audit, from files to files, on toy data and tiny params."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from mintmark.classify.model import load_classifier, save_classifier
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet, read_images, write_images
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from mintmark.gan.model import load_generator, save_discriminator, save_generator
from mintmark.gan.networks import Discriminator, Generator
from mintmark.privacy.generator import Search
from mintmark.privacy.memorised import Drill
from mintmark.privacy.strangers import mixtures, untrained_generator
from mintmark.privacy.summary import Precision
from mintmark.privacy.trials import THREATS, Plan
from mintmark.shadow.coins import toss
from mintmark.shadow.store import classifier_path, gan_paths, write_coins, write_index
from tasks import anonymise
from tasks.audit import Params, read_parties, read_targets, run

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Recipe(steps=20, batch_size=16, learning_rate=5e-3, weight_decay=0.0, width=4)
ANONYMISE = anonymise.Params(
    seed=0,
    threads=1,
    filter="near_copies",
    quantile=0.01,
    neighbours=1,
    min_class_records=10,
    shifts=1,
    flip=False,
    min_class_released=0,
)
DRILL = Drill(steps=20, batch_size=16, learning_rate=3e-3, width=4)
PARAMS = Params(
    seed=0,
    threads=1,
    workers=1,
    max_records=1000,
    false_failure=0.01,
    blind_permutations=400,
    blind_records=200,
    precision=Precision(fpr=0.02, low_fpr=0.001, resamples=200, power=0.9, grid=(0.05, 0.2, 1.0), simulations=50),
    plan=Plan(
        min_class_records=5,
        leaked_share=0.1,
        negative_draws=2,
        memorised_records=60,
        auxiliary=RECIPE,
        search=Search(own_samples=60, steps=2, learning_rate=0.05, max_records=1000),
        questions=("nearest", "density"),
        memorise=replace(RECIPE, steps=60, width=8, learning_rate=1e-2),
        overfit=replace(DRILL, steps=60),
        stranger_classifier=RECIPE,
        stranger_discriminator=DRILL,
    ),
)
PUBLIC = ("report.json", "metrics.json", "roc.csv", "roc.png")


def build(data_dir: Path, digits: ImageSet) -> Path:
    """Everything that the audit reads: an honest release of strangers' mixtures, and models that learnt little."""
    rows = np.random.default_rng(0).permutation(len(digits))
    train, test, reference, validation = (digits.take(part) for part in np.split(rows[:750], [240, 480, 600]))
    for name, images in (("train", train), ("test", test), ("reference", reference), ("validation", validation)):
        write_images(data_dir / "split" / f"{name}.parquet", images)
    honest = mixtures(reference, num=150, rng=np.random.default_rng(1))
    write_images(data_dir / "generate" / "synthetic.parquet", honest)
    anonymise.run(ANONYMISE, data_dir)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(shape=(8, 8, 1), num_classes=10, latent_size=4, width=4)
        discriminator = Discriminator(shape=(8, 8, 1), num_classes=10, width=4)
    folder = data_dir / "train_gan"
    save_generator(folder / "generator.safetensors", generator, classes=digits.classes, facts={})
    save_discriminator(folder / "discriminator.safetensors", discriminator, classes=digits.classes, facts={})
    network = train_classifier(*honest.tensors(), num_classes=10, recipe=RECIPE, seed=0)
    save_classifier(data_dir / "evaluate" / "classifier.safetensors", network, classes=digits.classes, facts={})
    write_index(data_dir / "shadow" / "models", classifiers=[], gans=[], twins=[], facts={})
    write_clusters(data_dir, {"train": train, "test": test})
    return data_dir


def write_clusters(data_dir: Path, parts: dict[str, ImageSet]) -> None:
    """Two clusters: the odd and the even digits."""
    ids = [one for images in parts.values() for one in images.ids]
    nearest = np.concatenate([images.codes % 2 for images in parts.values()])
    names = [name for name, images in parts.items() for _ in images.ids]
    (data_dir / "cluster").mkdir()
    pq.write_table(
        pa.table({"id": ids, "nearest": nearest, "part": names}), data_dir / "cluster" / "assignments.parquet"
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, digits: ImageSet) -> Path:
    return build(tmp_path_factory.mktemp("inputs"), digits)


@pytest.fixture(scope="module")
def audited(inputs: Path) -> Path:
    run(PARAMS, inputs)
    return inputs


def test_the_report_holds_what_release_rules_ask_for(audited: Path):
    report = read_report(audited / "audit")
    for threat in THREATS:
        for name in ("auc_bound", "tpr_bound", "detection_floor"):
            measured = report[f"{threat}_{name}"]
            assert measured.value is None or 0.0 <= measured.value <= 1.0
            assert measured.control
        assert isinstance(report.facts["conclusive"][threat], bool)
    for name in (
        "samples_nearest_auc",
        "samples_auxiliary_tpr",
        "classifier_confidence_auc",
        "generator_inversion_auc",
    ):
        assert report[name].low is not None
    assert report["discriminator_logit_reversed_tpr"].value is not None
    assert report.verdict in {"conclusive", "inconclusive"}
    kinds = {(control["threat"], control["kind"]) for control in report.facts["controls"]}
    assert kinds == {(threat, kind) for threat in THREATS for kind in ("positive", "negative")}


def test_the_worst_cluster_stands_beside_the_worst_class(audited: Path):
    report = read_report(audited / "audit")
    bound = report["samples_worst_cluster_auc_bound"]
    assert bound.value is not None
    assert bound.value > 0.5
    assert bound.n > 80
    assert report.facts["closer"]["samples"]["worst_cluster"]["group"] in {"cluster 0", "cluster 1"}


def test_records_without_a_cluster_stop_the_audit_by_file(inputs: Path, tmp_path: Path):
    data_dir = shutil.copytree(inputs, tmp_path / "data")
    path = data_dir / "cluster" / "assignments.parquet"
    pq.write_table(pq.read_table(path).slice(3), path)
    with pytest.raises(BadInput, match=r"assignments\.parquet: expected the clusters of all records .*, 3 are missing"):
        run(PARAMS, data_dir)


def test_no_epsilon_is_claimed_of_what_was_made_without_noise(audited: Path):
    claims = read_report(audited / "audit").facts["differential_privacy"]
    assert claims["unit"] == "one record of the training part"
    assert {name: claims[name]["epsilon"] for name in claims if name != "unit"} == dict.fromkeys(
        ("generator", "samples", "classifier", "samples_and_classifier")
    )
    assert "without noise" in claims["samples"]["reason"]


def test_honest_samples_are_near_chance_and_their_controls_come_out(audited: Path):
    report = read_report(audited / "audit")
    value = report["samples_auc_bound"].value
    assert value is not None
    assert value < 0.68
    assert report.facts["conclusive"]["samples"]


def test_no_id_of_a_record_is_in_any_public_file(audited: Path):
    ids = [one for name in ("train", "test", "reference", "validation") for one in _ids(audited, name)]
    for name in PUBLIC:
        content = (audited / "audit" / name).read_bytes()
        assert not any(one.encode() in content for one in ids)


def _ids(data_dir: Path, name: str) -> list[str]:
    return list(read_images(data_dir / "split" / f"{name}.parquet").ids)


def test_scores_of_records_are_private_and_complete(audited: Path):
    table = pq.read_table(audited / "audit" / "private" / "scores.parquet").to_pandas()
    found = table[(table.threat == "samples") & (table.attack == "nearest")]
    assert found[found.member].id.tolist() == _ids(audited, "train")
    assert found[~found.member].id.tolist() == _ids(audited, "test")
    assert set(table.threat) == set(THREATS)
    assert sorted(path.name for path in (audited / "audit").iterdir()) == sorted([*PUBLIC, "private"])


def test_only_so_many_records_are_searched_for_in_the_latent_space(audited: Path, tmp_path: Path):
    data_dir = shutil.copytree(audited, tmp_path / "data")
    search = replace(PARAMS.plan.search, max_records=20)
    run(replace(PARAMS, plan=replace(PARAMS.plan, search=search)), data_dir)
    counts = pq.read_table(data_dir / "audit" / "private" / "scores.parquet").to_pandas().groupby(["threat", "attack"])
    sizes = counts.size()
    assert set(sizes["generator"]) == {40}
    assert set(sizes["samples"]) == {len(_ids(audited, "train")) + len(_ids(audited, "test"))}


def test_workers_change_no_byte(audited: Path):
    before = {name: (audited / "audit" / name).read_bytes() for name in PUBLIC}
    run(replace(PARAMS, workers=2), audited)
    assert before == {name: (audited / "audit" / name).read_bytes() for name in PUBLIC}


def test_a_release_that_replays_members_is_caught(audited: Path, tmp_path: Path):
    data_dir = shutil.copytree(audited, tmp_path / "data")
    release = read_images(data_dir / "anonymise" / "release.parquet")
    leak = read_images(data_dir / "split" / "train.parquet").take(np.arange(120))
    both = ImageSet(
        ids=[*release.ids, *[f"leak-{row}" for row in range(120)]],
        codes=np.concatenate([release.codes, leak.codes]),
        images=np.concatenate([release.images, leak.images]),
        classes=release.classes,
    )
    write_images(data_dir / "anonymise" / "release.parquet", both)
    run(PARAMS, data_dir)
    report = read_report(data_dir / "audit")
    bounds = [report[f"samples_{name}"].value for name in ("auc_bound", "tpr_bound")]
    assert bounds[0] is not None
    assert bounds[1] is not None
    assert bounds[0] > 0.7
    assert bounds[1] > 0.4


def add_shadows(data_dir: Path, *, targets_themselves: bool) -> None:
    """Two shadows of every model: networks with first weights of their own, or the targets."""
    models = data_dir / "shadow" / "models"
    pool = [read_images(data_dir / "split" / f"{name}.parquet") for name in ("train", "test")]
    coins = toss(np.concatenate([part.codes for part in pool]), num=2, seed=3)
    loaded = load_generator(data_dir / "train_gan" / "generator.safetensors")
    for place in range(2):
        paths = gan_paths(models, f"gan-{place}")
        for kind, path in zip(("generator", "discriminator"), paths, strict=True):
            shutil.copy(data_dir / "train_gan" / f"{kind}.safetensors", path)
        own = classifier_path(models, f"classifier-{place}")
        shutil.copy(data_dir / "evaluate" / "classifier.safetensors", own)
        if not targets_themselves:
            save_generator(
                paths[0], untrained_generator(loaded.network, seed=100 + place), classes=loaded.classes, facts={}
            )
            discriminator = Discriminator(shape=(8, 8, 1), num_classes=10, width=4)
            save_discriminator(paths[1], discriminator, classes=loaded.classes, facts={})
            network = train_classifier(*pool[place].tensors(), num_classes=10, recipe=RECIPE, seed=10 + place)
            save_classifier(own, network, classes=loaded.classes, facts={})
    names = [f"{kind}-{place}" for kind in ("classifier", "gan") for place in range(2)]
    ids = [one for part in pool for one in part.ids]
    write_coins(models, ids, dict(zip(names, [*coins, *coins], strict=True)))
    write_index(models, classifiers=names[:2], gans=names[2:], twins=[], facts={})


def test_shadow_models_add_attacks_to_every_threat_model(audited: Path, tmp_path: Path):
    data_dir = shutil.copytree(audited, tmp_path / "data")
    add_shadows(data_dir, targets_themselves=False)
    run(PARAMS, data_dir)
    names = {measurement.name for measurement in read_report(data_dir / "audit").measurements}
    for threat in ("classifier", "discriminator"):
        assert {f"{threat}_{attack}_auc" for attack in ("shadow", "lira", "rmia")} <= names
    for threat in ("samples", "generator"):
        assert {f"{threat}_{attack}_auc" for attack in ("nearest_shadow", "density_lira", "density_rmia")} <= names


def test_a_target_among_its_own_shadows_is_refused(audited: Path, tmp_path: Path):
    data_dir = shutil.copytree(audited, tmp_path / "data")
    add_shadows(data_dir, targets_themselves=True)
    with pytest.raises(BadInput, match="it is the target"):
        run(PARAMS, data_dir)


def test_unlabelled_members_are_attacked_where_the_classifier_learnt_from_them(audited: Path, tmp_path: Path):
    """A student that knows all members, of which 60 carry a label, and gets others wrong; the generator saw the 60 alone."""
    data_dir = shutil.copytree(audited, tmp_path / "data")
    members, others = (read_images(data_dir / "split" / f"{name}.parquet") for name in ("train", "test"))
    images = ImageSet(
        ids=[*members.ids, *others.ids],
        codes=np.concatenate([members.codes, (others.codes + 1) % 10]),
        images=np.concatenate([members.images, others.images]),
        classes=members.classes,
    )
    by_heart = replace(RECIPE, steps=300, width=16, learning_rate=1e-2)
    network = train_classifier(*images.tensors(), num_classes=10, recipe=by_heart, seed=0)
    path = data_dir / "evaluate" / "classifier.safetensors"
    facts = {"arm": "gan_student", "unlabelled_records": 180}
    save_classifier(path, network, classes=members.classes, facts=facts)
    hidden = np.where(np.arange(len(members)) < 60, members.codes, -1)
    write_images(data_dir / "split" / "train.parquet", replace(members, codes=hidden))
    anonymise.run(ANONYMISE, data_dir)
    run(PARAMS, data_dir)
    report = read_report(data_dir / "audit")
    bound, confidence = report["classifier_auc_bound"].value, report["classifier_confidence_auc"].value
    assert bound is not None
    assert confidence is not None
    assert confidence > 0.8
    assert bound >= confidence
    assert report.facts["records"]["classifier"]["members"] == len(members)
    assert report.facts["records"]["samples"]["members"] == 60
    table = pq.read_table(data_dir / "audit" / "private" / "scores.parquet").to_pandas()
    attacked = table[table.member].groupby("threat").id.nunique()
    assert attacked["classifier"] == len(members)
    assert attacked["samples"] == attacked["discriminator"] == 60


def test_a_classifier_taught_by_a_generator_of_unlabelled_records_has_their_members(audited: Path, tmp_path: Path):
    data_dir = shutil.copytree(audited, tmp_path / "data")
    train = read_images(data_dir / "split" / "train.parquet")
    hidden = np.where(np.arange(len(train)) < 60, train.codes, -1)
    write_images(data_dir / "split" / "train.parquet", replace(train, codes=hidden))
    anonymise.run(ANONYMISE, data_dir)
    generator = load_generator(data_dir / "train_gan" / "generator.safetensors").network
    path = data_dir / "train_gan" / "generator.safetensors"
    save_generator(path, generator, classes=train.classes, facts={"unlabelled_records": 180})
    classifier = load_classifier(data_dir / "evaluate" / "classifier.safetensors").network
    for arm, members in (("synthetic", len(train)), ("augmented", 60)):
        path = data_dir / "evaluate" / "classifier.safetensors"
        save_classifier(path, classifier, classes=train.classes, facts={"arm": arm})
        found = read_parties(PARAMS, data_dir)
        assert len(found["classifier"].members) == members
        assert len(found["samples"].members) == len(train)
        assert found["samples"].members.codes.min() >= 0


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "params.yaml").write_text(json.dumps({"audit": asdict(PARAMS)}))
    return subprocess.run(
        [sys.executable, "-m", "tasks.audit"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_classifier_of_other_classes_is_refused_in_one_line(inputs: Path, tmp_path: Path, toy_images):
    data_dir = shutil.copytree(inputs, tmp_path / "data")
    shutil.rmtree(data_dir / "audit", ignore_errors=True)
    toys = toy_images()
    network = train_classifier(*toys.tensors(), num_classes=3, recipe=RECIPE, seed=0)
    save_classifier(data_dir / "evaluate" / "classifier.safetensors", network, classes=toys.classes, facts={})
    done = start(tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "classifier.safetensors" in done.stderr
    assert not (data_dir / "audit").exists()


@pytest.mark.parametrize(("key", "value"), [("workers", 0), ("false_failure", 1.0), ("max_records", 0)])
def test_a_wrong_param_is_named(key: str, value: float):
    with pytest.raises(ValueError, match=key):
        replace(PARAMS, **{key: value})  # type: ignore[arg-type]


def test_what_is_attacked_is_what_would_be_released_and_nothing_else(inputs: Path, tmp_path: Path):
    """A leak that the filter took out is not held against the release; one that came in after it is."""
    data_dir = tmp_path / "data"
    shutil.copytree(inputs, data_dir, ignore=shutil.ignore_patterns("audit"))
    members = read_parties(PARAMS, data_dir)["samples"].members

    def release() -> np.ndarray:
        return read_targets(data_dir, members).release.images

    honest = release()
    shutil.copy(data_dir / "split" / "train.parquet", data_dir / "generate" / "synthetic.parquet")
    assert (release() == honest).all()
    shutil.copy(data_dir / "split" / "train.parquet", data_dir / "anonymise" / "release.parquet")
    assert (release() == read_images(data_dir / "split" / "train.parquet").images).all()


def test_without_a_filter_no_leak_just_past_it_is_planted(inputs: Path, tmp_path: Path):
    data_dir = tmp_path / "data"
    shutil.copytree(inputs, data_dir, ignore=shutil.ignore_patterns("audit"))
    anonymise.run(replace(ANONYMISE, filter="none"), data_dir)
    run(PARAMS, data_dir)
    controls = {one["name"] for one in read_report(data_dir / "audit").facts["controls"]}
    assert "copies of members in the release" in controls
    assert "near-copies of members just past the filter" not in controls
