"""The stage ingest, started as a person does: remote sources; and for bad input one line, with nothing lost."""

import gzip
import http.server
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image
from ruamel.yaml import YAML

REPOSITORY = Path(__file__).parents[2]
DEFAULTS = YAML(typ="safe").load((REPOSITORY / "params.yaml").read_text())["ingest"]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


def section(**wanted: Any) -> dict[str, Any]:
    """The shipped params with some keys changed; a mapping changes keys of a subsection."""
    changed = {key: DEFAULTS[key] | value if isinstance(value, dict) else value for key, value in wanted.items()}
    return DEFAULTS | changed


def command(
    folder: Path, *, shell: str = "", environment: dict[str, str] | None = None, **wanted: Any
) -> subprocess.CompletedProcess[str]:
    """Run the stage as a person does, with a params file of its own in a folder of its own."""
    YAML().dump({"ingest": section(**wanted)}, folder / "params.yaml")
    call = [sys.executable, "-m", "tasks.ingest"]
    if shell:
        call = ["unshare", "--mount", "sh", "-c", shell, *call]
    paths = {"PYTHONPATH": str(REPOSITORY), "PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(
        call, cwd=folder, env=paths | ENVIRONMENT | (environment or {}), capture_output=True, text=True, check=False
    )


def save_image(path: Path, image: Image.Image | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or Image.new("L", (4, 4), 7)).save(path)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def bad_missing(folder: Path) -> dict:
    return {"source": "nowhere.csv", "format": "csv", "kind": "table"}


def bad_empty_folder(folder: Path) -> dict:
    (folder / "src").mkdir()
    return {"source": "src", "format": "image_folder"}


def bad_truncated_idx(folder: Path) -> dict:
    (folder / "images-idx3-ubyte").write_bytes(idx(np.zeros((9, 5, 5), np.uint8))[:-30])
    (folder / "labels-idx1-ubyte").write_bytes(idx(np.zeros(9, np.uint8)))
    return {"source": "images-idx3-ubyte", "format": "idx"}


def bad_truncated_gzip(folder: Path) -> dict:
    (folder / "images-idx3-ubyte").write_bytes(gzip.compress(idx(np.zeros((9, 5, 5), np.uint8)))[:-9])
    (folder / "labels-idx1-ubyte").write_bytes(idx(np.zeros(9, np.uint8)))
    return {"source": "images-idx3-ubyte", "format": "idx"}


def bad_magic(folder: Path) -> dict:
    save_image(folder / "images-idx3-ubyte.png")
    return {"source": "images-idx3-ubyte.png", "format": "idx"}


def bad_text_as_png(folder: Path) -> dict:
    save_image(folder / "src" / "a" / "1.png")
    (folder / "src" / "a" / "2.png").write_text("I am text")
    return {"source": "src", "format": "image_folder"}


def bad_bomb(folder: Path) -> dict:
    save_image(folder / "src" / "a" / "1.png", Image.new("1", (30_000, 30_000)))
    return {"source": "src", "format": "image_folder"}


def bad_sixteen_bits(folder: Path) -> dict:
    save_image(folder / "src" / "a" / "1.png", Image.new("I;16", (4, 4)))
    return {"source": "src", "format": "image_folder"}


def bad_cmyk(folder: Path) -> dict:
    save_image(folder / "src" / "a" / "1.jpg", Image.new("CMYK", (4, 4)))
    return {"source": "src", "format": "image_folder"}


def bad_mixed_sizes(folder: Path) -> dict:
    save_image(folder / "src" / "a" / "1.png")
    save_image(folder / "src" / "a" / "2.png", Image.new("L", (5, 4)))
    return {"source": "src", "format": "image_folder"}


def bad_twice_the_same_id(folder: Path) -> dict:
    (folder / "x.csv").write_text("who,label,age\np1,a,1\np2,a,2\np1,b,3\n")
    return {"source": "x.csv", "format": "csv", "kind": "table", "columns": {"id": "who"}}


def bad_ragged_csv(folder: Path) -> dict:
    (folder / "x.csv").write_text("label,age\na,1\na,1,2\n")
    return {"source": "x.csv", "format": "csv", "kind": "table"}


def bad_endpoint(folder: Path) -> dict:
    return {"source": "s3://bucket/x.csv", "format": "csv", "kind": "table"}


BAD = {
    bad_missing: "nowhere.csv: expected a file or a folder, found none",
    bad_empty_folder: "src: expected images (.png .jpg .jpeg .bmp .tif .tiff), found none",
    bad_truncated_idx: "images-idx3-ubyte: expected 9 rows, got only 7: it is truncated",
    bad_truncated_gzip: "images-idx3-ubyte: expected a whole file, got a truncated or corrupt one",
    bad_magic: "images-idx3-ubyte.png: expected an idx file (magic 0x0000ttnn), got magic 0x89504e47",
    bad_text_as_png: "src: a/2.png: expected an image (PNG, JPEG, BMP, TIFF), got something else",
    bad_bomb: "src: a/1.png: expected at most 16777216 pixels, got a decompression bomb",
    bad_sixteen_bits: "src: a/1.png: expected 8-bit gray or RGB, got 16-bit I;16",
    bad_cmyk: "src: a/1.jpg: expected 8-bit gray or RGB, got CMYK",
    bad_mixed_sizes: "src: a/2.png: expected 4 x 4 x 1 as the first image, got 4 x 5 x 1; state a size",
    bad_twice_the_same_id: "x.csv: expected ids unlike one another, got 'p1' in row 1 and in row 3",
    bad_ragged_csv: "x.csv: row 2: expected 2 values, got 3",
    bad_endpoint: "s3://bucket/x.csv: expected to read it, got Could not connect to the endpoint",
}


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_bad_input_gives_one_line_and_leaves_earlier_output_alone(tmp_path, bad):
    earlier = tmp_path / "data" / "ingest" / "records.parquet"
    earlier.parent.mkdir(parents=True)
    earlier.write_text("earlier")
    done = command(tmp_path, environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, **bad(tmp_path))
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("progress ")]
    assert line.startswith(f"ingest: {BAD[bad]}")
    assert list(earlier.parent.iterdir()) == [earlier]
    assert earlier.read_text() == "earlier"


def served(handler) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Denied(http.server.BaseHTTPRequestHandler):
    """Refuses everybody everything."""

    def do_GET(self) -> None:
        self.send_error(403)

    do_HEAD = do_GET  # noqa: N815 - the name http.server calls


def test_a_source_over_http_goes_through_the_command_line(tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "x.csv").write_text("label,age\na,1\nb,2\n")
    files = contextmanager(served)(
        lambda *one: http.server.SimpleHTTPRequestHandler(*one, directory=str(tmp_path / "web"))
    )
    with files as address:
        fine = command(tmp_path, source=f"{address}/x.csv?key=secret", format="csv", kind="table")
        missing = command(tmp_path, source=f"{address}/y.csv", format="csv", kind="table")
    assert fine.returncode == 0, fine.stderr
    manifest = json.loads((tmp_path / "data" / "ingest" / "manifest.json").read_text())
    assert manifest["source"] == f"{address}/x.csv"
    assert manifest["rows"] == 2
    assert missing.returncode == 1
    assert missing.stderr == f"ingest: {address}/y.csv: expected a file, got status 404 (File not found)\n"
    assert len(list((tmp_path / "data" / "ingest").iterdir())) == 2


def test_a_source_on_s3_goes_through_the_command_line(tmp_path):
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    endpoint = {"AWS_ENDPOINT_URL": "http://{}:{}".format(*server.get_host_and_port())}
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    client = boto3.Session(**keys).client("s3", endpoint_url=endpoint["AWS_ENDPOINT_URL"])
    client.create_bucket(Bucket="fab")
    for name in ("src/ok/1.png", "src/scratch/2.png", "src/unlabelled/3.png"):
        save_image(tmp_path / name)
        client.upload_file(str(tmp_path / name), "fab", f"wafers/{name}")
    fine = command(tmp_path, environment=endpoint, source="s3://fab/wafers/src", format="image_folder")
    none = command(tmp_path, environment=endpoint, source="s3://no-such-bucket/x", format="image_folder")
    server.stop()
    assert fine.returncode == 0, fine.stderr
    manifest = json.loads((tmp_path / "data" / "ingest" / "manifest.json").read_text())
    assert manifest["classes"] == {"ok": 1, "scratch": 1}
    assert (manifest["source"], manifest["rows"], manifest["unlabelled"]) == ("s3://fab/wafers/src", 3, 1)
    assert none.returncode == 1
    assert none.stderr.startswith("ingest: s3://no-such-bucket/x: expected to read it, got NoSuchBucket")
    assert len(none.stderr.splitlines()) == 1


def test_a_bucket_without_rights_gives_one_line(tmp_path):
    with contextmanager(served)(Denied) as address:
        found = command(tmp_path, environment={"AWS_ENDPOINT_URL": address}, source="s3://fab/x.csv", format="csv")
    assert found.returncode == 1
    assert found.stderr == "ingest: s3://fab/x.csv: expected to read it, got 403 (Forbidden)\n"


MOUNTS = (
    shutil.which("unshare")
    and subprocess.run(
        ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False
    ).returncode
    == 0
)
needs_mounts = pytest.mark.skipif(not MOUNTS, reason="needs the right to mount file systems")


@needs_mounts
def test_a_full_disk_gives_one_line_and_leaves_nothing(tmp_path):
    (tmp_path / "data").mkdir()
    found = command(
        tmp_path, shell='mount -t tmpfs -o size=32k tmpfs data && "$0" "$@"; code=$?; find data; exit $code'
    )
    assert found.returncode == 1
    assert found.stdout.split() == ["data", "data/ingest"]
    (line,) = [line for line in found.stderr.splitlines() if not line.startswith("progress ")]
    assert line.startswith("ingest: ")
    assert "No space left on device" in line


@needs_mounts
def test_a_read_only_folder_gives_one_line(tmp_path):
    (tmp_path / "data").mkdir()
    found = command(tmp_path, shell='mount -t tmpfs -o ro tmpfs data && "$0" "$@"')
    assert found.returncode == 1
    (line,) = [line for line in found.stderr.splitlines() if not line.startswith("progress ")]
    assert line == "ingest: [Errno 30] Read-only file system: 'data/ingest'"
