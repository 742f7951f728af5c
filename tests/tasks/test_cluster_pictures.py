"""A folder of pictures, sorted by class, from ingest to clusters: nothing but the section `ingest` is changed."""

import importlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mintmark.cluster.model import load_clusters
from mintmark.evidence import read_report
from tasks.params import load
from tests.checkout import checkout, write_params

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")  # Great Expectations imports them

STAGES = ("ingest", "validate", "split", "train_gan", "generate", "anonymise", "cluster")
NUM = 240


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory, toy_images) -> Path:
    """The folder data/ after the stages up to the clusters."""
    pictures = tmp_path_factory.mktemp("pictures")
    records = toy_images(num=NUM, channels=3)
    for row, (image, code) in enumerate(zip(records.images, records.codes, strict=True)):
        path = pictures / records.classes[code] / f"{row}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    folder = checkout(tmp_path_factory.mktemp("checkout"))
    write_params(folder, {"ingest": {"source": str(pictures), "format": "image_folder"}})
    for name in STAGES:
        stage = importlib.import_module(f"tasks.{name}")
        stage.run(load(name, stage.Params, path=folder / "params.yaml"), folder / "data")
    return folder / "data"


def test_pictures_become_clusters_that_agree_with_their_folders(clustered: Path):
    report, (clusters, facts) = (
        read_report(clustered / "cluster"),
        load_clusters(clustered / "cluster/prototypes.safetensors"),
    )
    assert clusters.prototypes.shape == (3, 3, 8, 8)
    assert sorted(facts["classes"]) == ["class-0", "class-1", "class-2"]
    assert report["kmeans_accuracy"].value == 1.0
    assert (report["dti_accuracy"].value or 0.0) > 0.9


def test_every_picture_of_the_clustered_parts_has_a_cluster(clustered: Path):
    assigned = pq.read_table(clustered / "cluster/assignments.parquet").to_pandas()
    for part in ("train", "test"):
        ids = pq.read_table(clustered / f"split/{part}.parquet").column("id").to_pylist()
        assert assigned.loc[assigned["part"] == part, "id"].tolist() == ids
        assert 0 < len(ids) < NUM
    assert np.isfinite(assigned["distance"]).all()
