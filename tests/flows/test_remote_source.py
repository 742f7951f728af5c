"""A source on a real S3 service, watched by DVC and read by ingest, with nothing but the standard AWS chain."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.checkout import checkout, write_params

from .buckets import KEY, SECRET, command, holding, in_environment, moto, rclone, run, states
from .test_pipeline import child_environment

pytestmark = pytest.mark.pipeline
SOURCE = "s3://bucket/exports/digits.csv"
FLOW = (sys.executable, "-m", "flows.pipeline", "ingest", "--deploy-to", "")
DVC = (sys.executable, "-m", "dvc")


@pytest.fixture(params=["rclone", pytest.param("moto", marks=pytest.mark.nightly)])
def service(request, tmp_path: Path) -> Iterator[str]:
    """Where the service answers; it has one bucket, `bucket`."""
    if request.param == "moto":
        with moto() as endpoint:
            client(endpoint).create_bucket(Bucket="bucket")
            yield endpoint
        return
    (tmp_path / "service").mkdir()
    with rclone(tmp_path / "service") as running:
        yield running.endpoint


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A checkout of its own: what ran for another service would come from the cache."""
    folder = checkout(tmp_path / "ours")
    write_params(folder, {"ingest": {"source": SOURCE, "format": "csv", "image": {"size": [8, 8], "channels": 1}}})
    return folder


def client(endpoint: str):
    session = boto3.Session(aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1")
    return session.client("s3", endpoint_url=endpoint)


def put(endpoint: str, rows: int, key: str = "exports/digits.csv") -> None:
    """The first rows of the digits, as CSV."""
    pixels, labels = load_digits(return_X_y=True)
    table = np.column_stack([labels, np.round(np.asarray(pixels) * (255 / 16))])[:rows].astype(int)
    text = ",".join(["label", *(f"p{place}" for place in range(64))]) + "\n"
    text += "".join(",".join(map(str, row)) + "\n" for row in table)
    client(endpoint).put_object(Bucket="bucket", Key=key, Body=text.encode())


def with_server(chain: dict[str, str]) -> dict[str, str]:
    """The chain, and the address of the tests' Prefect server."""
    return chain | {name: value for name, value in child_environment().items() if name.startswith("PREFECT")}


def manifest(folder: Path) -> dict:
    return json.loads((folder / "data/ingest/manifest.json").read_text())


def test_an_object_is_read_again_only_when_its_bytes_change(service: str, ours: Path, prefect_server: None):
    chain = with_server(in_environment(service))
    put(service, 200)
    said = command(ours, *FLOW, **chain)
    assert states(said) == {"ingest": "Completed"}
    assert (manifest(ours)["source"], manifest(ours)["rows"]) == (SOURCE, 200)
    put(service, 200)
    again = command(ours, *FLOW, **chain)
    assert states(again) == {"ingest": "Cached"}
    put(service, 300)
    changed = command(ours, *FLOW, **chain)
    assert states(changed) == {"ingest": "Completed"}
    assert manifest(ours)["rows"] == 300
    for secret in (SECRET, KEY):
        assert holding(ours, secret) == []
        assert secret not in said + again + changed


def test_a_source_that_cannot_be_had_is_named_in_one_message(service: str, ours: Path, prefect_server: None):
    chain = with_server(in_environment(service))
    missing = run(ours, *FLOW, **chain)
    assert missing.returncode == 1
    assert f"ERROR: failed to reproduce 'ingest': dependency '{SOURCE}' does not exist" in missing.stdout
    put(service, 200)
    nobody = {name: value for name, value in chain.items() if "ACCESS_KEY" not in name}
    refused = run(ours, *FLOW, **nobody)
    assert refused.returncode == 1
    assert "ERROR: failed to reproduce 'ingest': Unable to locate credentials" in refused.stdout
    assert "Traceback" not in missing.stdout + refused.stdout


def test_a_prefix_is_watched_by_its_listing(service: str, ours: Path):
    chain = in_environment(service)
    put(service, 200, "parts/1.csv")
    write_params(ours, {"ingest": {"source": "s3://bucket/parts"}})
    command(ours, *DVC, "repro", "ingest", **chain)
    assert json.loads(command(ours, *DVC, "status", "--json", "ingest", **chain).splitlines()[-1]) == {}
    put(service, 100, "parts/2.csv")
    command(ours, *DVC, "repro", "ingest", **chain)
    assert manifest(ours)["rows"] == 300


def test_a_run_with_another_source_leaves_the_checkout_alone(service: str, ours: Path, prefect_server: None):
    chain = with_server(in_environment(service))
    put(service, 150, "other.csv")
    before = {name: (ours / name).read_bytes() for name in ("params.yaml", "dvc.yaml")}
    words = (*FLOW, "--set", "ingest.source=s3://bucket/other.csv", "--set", "ingest.unreadable=keep")
    assert states(command(ours, *words, **chain)) == {"ingest": "Completed"}
    assert states(command(ours, *words, **chain)) == {"ingest": "Cached"}
    (found,) = (path for path in (ours / ".dvc/tmp/workspaces").iterdir() if (path / "data").is_dir())
    assert (manifest(found)["source"], manifest(found)["rows"]) == ("s3://bucket/other.csv", 150)
    assert {name: (ours / name).read_bytes() for name in before} == before
    assert holding(ours, SECRET) == []
