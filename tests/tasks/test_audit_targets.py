"""What the stage audit attacks: leaks, shadow models, unlabelled members, and what would really be released."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from mintmark.classify.model import load_classifier, save_classifier
from mintmark.classify.training import train_classifier
from mintmark.data.images import ImageSet, read_images, write_images
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from mintmark.gan.model import load_generator, save_discriminator, save_generator
from mintmark.gan.networks import Discriminator
from mintmark.privacy.strangers import untrained_generator
from mintmark.shadow.coins import toss
from mintmark.shadow.store import classifier_path, gan_paths, write_coins, write_index
from tasks import anonymise
from tasks.audit import read_parties, read_targets, run
from tests.tasks.auditing import ANONYMISE, PARAMS, RECIPE


def test_a_release_that_replays_members_is_caught(audit_dir: Path, tmp_path: Path):
    data_dir = shutil.copytree(audit_dir, tmp_path / "data")
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
            torch.manual_seed(100 + place)
            discriminator = Discriminator(shape=(8, 8, 1), num_classes=10, width=4)
            save_discriminator(paths[1], discriminator, classes=loaded.classes, facts={})
            network = train_classifier(*pool[place].tensors(), num_classes=10, recipe=RECIPE, seed=10 + place)
            save_classifier(own, network, classes=loaded.classes, facts={})
    names = [f"{kind}-{place}" for kind in ("classifier", "gan") for place in range(2)]
    ids = [one for part in pool for one in part.ids]
    write_coins(models, ids, dict(zip(names, [*coins, *coins], strict=True)))
    write_index(models, classifiers=names[:2], gans=names[2:], twins=[], facts={})


def test_shadow_models_add_attacks_to_every_threat_model(audit_dir: Path, tmp_path: Path):
    data_dir = shutil.copytree(audit_dir, tmp_path / "data")
    add_shadows(data_dir, targets_themselves=False)
    run(PARAMS, data_dir)
    names = {measurement.name for measurement in read_report(data_dir / "audit").measurements}
    for threat in ("classifier", "discriminator"):
        assert {f"{threat}_{attack}_auc" for attack in ("shadow", "lira", "rmia")} <= names
    for threat in ("samples", "generator"):
        assert {f"{threat}_{attack}_auc" for attack in ("nearest_shadow", "density_lira", "density_rmia")} <= names


def test_a_target_among_its_own_shadows_is_refused(audit_dir: Path, tmp_path: Path):
    data_dir = shutil.copytree(audit_dir, tmp_path / "data")
    add_shadows(data_dir, targets_themselves=True)
    with pytest.raises(BadInput, match="it is the target"):
        run(PARAMS, data_dir)


def test_unlabelled_members_are_attacked_where_the_classifier_learnt_from_them(audit_dir: Path, tmp_path: Path):
    """A student that knows all members, of which 60 carry a label, and gets others wrong; the generator saw the 60 alone."""
    data_dir = shutil.copytree(audit_dir, tmp_path / "data")
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


def test_a_classifier_taught_by_a_generator_of_unlabelled_records_has_their_members(audit_dir: Path, tmp_path: Path):
    data_dir = shutil.copytree(audit_dir, tmp_path / "data")
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


def test_what_is_attacked_is_what_would_be_released_and_nothing_else(audit_dir: Path, tmp_path: Path):
    """A leak that the filter took out is not held against the release; one that came in after it is."""
    data_dir = tmp_path / "data"
    shutil.copytree(audit_dir, data_dir, ignore=shutil.ignore_patterns("audit"))
    members = read_parties(PARAMS, data_dir)["samples"].members

    def release() -> np.ndarray:
        return read_targets(data_dir, members).release.images

    honest = release()
    shutil.copy(data_dir / "split" / "train.parquet", data_dir / "generate" / "synthetic.parquet")
    assert (release() == honest).all()
    shutil.copy(data_dir / "split" / "train.parquet", data_dir / "anonymise" / "release.parquet")
    assert (release() == read_images(data_dir / "split" / "train.parquet").images).all()


def test_without_a_filter_no_leak_just_past_it_is_planted(audit_dir: Path, tmp_path: Path):
    data_dir = tmp_path / "data"
    shutil.copytree(audit_dir, data_dir, ignore=shutil.ignore_patterns("audit"))
    anonymise.run(replace(ANONYMISE, filter="none"), data_dir)
    run(PARAMS, data_dir)
    controls = {one["name"] for one in read_report(data_dir / "audit").facts["controls"]}
    assert "copies of members in the release" in controls
    assert "near-copies of members just past the filter" not in controls
