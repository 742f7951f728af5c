"""Data made elsewhere, by the stages: no GAN is trained, and the attacks on samples and classifier alone are run."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from mintmark.classify.model import save_classifier
from mintmark.classify.training import train_classifier
from mintmark.data.images import ImageSet, read_images, write_images
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from mintmark.gan.elsewhere import read_elsewhere
from mintmark.privacy.strangers import mixtures
from tasks import anonymise, audit, cluster, detect, generate, shadow, train_gan
from tasks.params import build, load

ROOT = Path(__file__).resolve().parents[2]


def section(name: str, form: type, **changes: object):
    values = YAML(typ="safe").load((ROOT / "params.yaml").read_text())[name]
    tiny = YAML(typ="safe").load((ROOT / "tests" / "tiny.yaml").read_text()).get(name, {})
    return build(form, merged(values, merged(tiny, changes)), name=name)


def merged(base: dict, changes: dict) -> dict:
    return base | {key: merged(base[key], one) if isinstance(one, dict) else one for key, one in changes.items()}


@pytest.fixture(scope="module")
def data_dir(digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Split parts, a file of somebody's records (ten of them members), and the stages up to the audit's inputs."""
    root = tmp_path_factory.mktemp("elsewhere")
    rows = np.random.default_rng(0).permutation(len(digits))
    parts = dict(zip(("train", "test", "reference", "validation"), np.split(rows[:900], [300, 600, 750]), strict=True))
    for name, part in parts.items():
        write_images(root / "split" / f"{name}.parquet", digits.take(part))
    made = mixtures(digits.take(rows[900:]), num=200, rng=np.random.default_rng(1))
    images = np.concatenate([made.images, digits.images[parts["train"][:10]]])
    codes = np.concatenate([made.codes, digits.codes[parts["train"][:10]]])
    table = {"image": [one[..., 0].tolist() for one in images], "label": [str(code) for code in codes]}
    pd.DataFrame(table).to_parquet(root / "made.parquet")
    train_gan.run(section("train_gan", train_gan.Params, source=str(root / "made.parquet")), root)
    generate.run(load("generate", generate.Params, path=ROOT / "params.yaml"), root)
    anonymise.run(load("anonymise", anonymise.Params, path=ROOT / "params.yaml"), root)
    return root


def test_no_gan_is_trained_and_the_files_say_so(data_dir: Path):
    folder = data_dir / "train_gan"
    for name in ("generator", "discriminator"):
        made = read_elsewhere(folder / f"{name}.safetensors")
        assert made is not None
        assert (made.source, made.shape) == (str(data_dir / "made.parquet"), (8, 8, 1))
    outs = {"history.csv", "samples.png", "report.json", "metrics.json"}
    assert outs <= {path.name for path in folder.iterdir()}
    assert len(read_images(data_dir / "generate" / "synthetic.parquet")) == 210


def test_copies_go_out(data_dir: Path):
    report = read_report(data_dir / "anonymise")
    assert (report["near_copies_removed"].value or 0) >= 10
    assert report["near_copies_left"].value == 0


def test_samples_and_classifier_are_audited_and_no_network_is_missed(data_dir: Path):
    release = read_images(data_dir / "anonymise" / "release.parquet")
    params = section("audit", audit.Params, workers=1)
    network = train_classifier(*release.tensors(), num_classes=10, recipe=params.plan.memorise, seed=0)
    save_classifier(data_dir / "evaluate" / "classifier.safetensors", network, classes=release.classes, facts={})
    shadow.run(load("shadow", shadow.Params, path=ROOT / "params.yaml"), data_dir)
    cluster.run(section("cluster", cluster.Params), data_dir)
    audit.run(params, data_dir)
    report = read_report(data_dir / "audit")
    assert set(report.facts["conclusive"]) == {"samples", "classifier"}
    assert report["samples_auc_bound"].value is not None
    detect.run(section("detect", detect.Params), data_dir)
    judged = {one.removesuffix("_auroc") for one in read_report(data_dir / "detect").headline}
    assert {"pca_residual", "nearest", "combination", "guard"} < judged
    assert not judged & {"anogan", "fanogan"}


def test_shadow_generators_cannot_be_had(data_dir: Path):
    params = replace(load("shadow", shadow.Params, path=ROOT / "params.yaml"), num_generators=2)
    with pytest.raises(BadInput, match=r"generator.safetensors: expected 'recipe' among its facts"):
        shadow.run(params, data_dir)


def test_a_source_that_is_not_there_is_named(data_dir: Path, tmp_path: Path):
    shutil.copytree(data_dir / "split", tmp_path / "split")
    with pytest.raises(BadInput, match=r"train_gan.source: expected .* got 'nowhere.parquet'"):
        train_gan.run(section("train_gan", train_gan.Params, source="nowhere.parquet"), tmp_path)
