"""The stage ingest: any source in, records and their manifest out; bad input in, one line out and nothing lost."""

import gzip
import http.server
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from ruamel.yaml import YAML

from mintmark.data.images import read_images
from mintmark.data.records import payload_array, read_form, record_id, tensor_column
from tasks import params as stage_params
from tasks.ingest import Params, run

REPOSITORY = Path(__file__).parents[2]
DEFAULTS = YAML(typ="safe").load((REPOSITORY / "params.yaml").read_text())["ingest"]
NO_NETWORK = {
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


def ingest(folder: Path, **wanted: Any) -> dict[str, Any]:
    """Run the stage in this process; returns its manifest."""
    run(stage_params.build(Params, section(**wanted), name="ingest"), folder / "data")
    assert sorted(file.name for file in (folder / "data" / "ingest").iterdir()) == ["manifest.json", "records.parquet"]
    return json.loads((folder / "data" / "ingest" / "manifest.json").read_text())


def records(folder: Path) -> Path:
    return folder / "data" / "ingest" / "records.parquet"


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
        call, cwd=folder, env=paths | NO_NETWORK | (environment or {}), capture_output=True, text=True, check=False
    )


def save_image(path: Path, image: Image.Image | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or Image.new("L", (4, 4), 7)).save(path)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_the_built_in_digits_become_records(tmp_path, digits, capsys):
    manifest = ingest(tmp_path)
    assert capsys.readouterr().out == "ingest: 1797 records of kind image, 1797 labelled\n"
    found = read_images(records(tmp_path))
    np.testing.assert_array_equal(found.images, digits.images)
    np.testing.assert_array_equal(found.codes, digits.codes)
    assert found.ids[0] == record_id(digits.images[0].tobytes(), "0", 0)
    counts = np.bincount(digits.codes).tolist()
    assert manifest == {
        "source": "mintmark/data/digits.py",
        "format": "digits",
        "sha256": manifest["sha256"],
        "kind": "image",
        "shape": [8, 8, 1],
        "rows": 1797,
        "labelled": 1797,
        "unlabelled": 0,
        "classes": {str(code): count for code, count in enumerate(counts)},
        "unreadable": [],
        "left_over": 0,
    }


def test_the_same_source_gives_the_same_bytes(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        ingest(tmp_path / name)
    for file in ("records.parquet", "manifest.json"):
        first, second = ((tmp_path / name / "data" / "ingest" / file).read_bytes() for name in "ab")
        assert first == second


def test_a_folder_of_mixed_images_with_unlabelled_and_unreadable_ones(tmp_path):
    save_image(tmp_path / "src" / "dog" / "a.png", Image.new("L", (4, 6), 9))
    save_image(tmp_path / "src" / "cat" / "b.jpg", Image.new("RGB", (8, 8), (9, 9, 9)))
    save_image(tmp_path / "src" / "unlabelled" / "c.bmp")
    (tmp_path / "src" / "dog" / "d.png").write_text("I am text")
    manifest = ingest(
        tmp_path,
        source=str(tmp_path / "src"),
        format="image_folder",
        image={"size": [6, 6], "channels": 1},
        unreadable="keep",
    )
    assert (manifest["rows"], manifest["labelled"], manifest["unlabelled"]) == (4, 3, 1)
    assert manifest["classes"] == {"cat": 1, "dog": 2}
    assert [one["where"] for one in manifest["unreadable"]] == ["dog/d.png"]
    table = pq.read_table(records(tmp_path))
    assert table.column("label").to_pylist() == ["cat", "dog", "dog", None]
    assert table.column("image").is_null().to_pylist() == [False, False, True, False]
    assert read_form(records(tmp_path)).shape == (6, 6, 1)


def test_a_table_in_csv_keeps_types_roles_and_own_ids(tmp_path):
    (tmp_path / "x.csv").write_text("who, age, job, income\np1, 39, clerk, <=50K.\np2, ?, ?, >50K.\np3, 28, smith, \n")
    manifest = ingest(
        tmp_path,
        source=str(tmp_path / "x.csv"),
        format="csv",
        kind="table",
        columns={"label": "income", "id": "who", "sensitive": ["job"], "quasi_identifier": ["age"]},
        labels={"strip": "."},
    )
    assert manifest["classes"] == {"<=50K": 1, ">50K": 1}
    assert manifest["unlabelled"] == 1
    form = read_form(records(tmp_path))
    assert form.columns == {"age": "int64", "job": "string"}
    assert form.roles == {"age": "quasi-identifier", "job": "sensitive"}
    assert pq.read_table(records(tmp_path)).to_pylist()[1] == {"id": "p2", "label": ">50K", "age": None, "job": None}


def test_series_in_windows_of_a_long_csv(tmp_path):
    (tmp_path / "x.csv").write_text("when,v\n" + "".join(f"{i},{i / 2}\n" for i in range(10)))
    manifest = ingest(
        tmp_path,
        source=str(tmp_path / "x.csv"),
        format="csv",
        kind="series",
        columns={"label": None, "drop": ["when"]},
        window=4,
    )
    assert (manifest["rows"], manifest["shape"], manifest["left_over"]) == (2, [4, 1], 2)
    values = payload_array(pq.read_table(records(tmp_path)), "series")
    np.testing.assert_array_equal(values.ravel(), np.arange(8) / 2)


def test_every_other_format_gives_the_same_records(tmp_path):
    rng = np.random.default_rng(0)
    images, codes = rng.integers(0, 256, (20, 5, 5), dtype=np.uint8), rng.integers(0, 3, 20).astype(np.uint8)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(images))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(codes)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(codes))
    np.savez_compressed(tmp_path / "x.npz", image=images, label=codes)
    pq.write_table(pa.table({"image": images.tolist(), "label": codes}), tmp_path / "x.parquet")
    lines = ["label," + ",".join(f"pixel{i}" for i in range(25))]
    lines += [",".join(map(str, [code, *image.ravel()])) for image, code in zip(images, codes, strict=True)]
    (tmp_path / "x.csv").write_text("\n".join(lines))
    tables = []
    for form, name in [
        ("idx", "train-images-idx3-ubyte"),
        ("npz", "x.npz"),
        ("parquet", "x.parquet"),
        ("csv", "x.csv"),
    ]:
        ingest(tmp_path, source=str(tmp_path / name), format=form)
        tables.append(pq.read_table(records(tmp_path)))
    assert all(table.equals(tables[0]) for table in tables)
    np.testing.assert_array_equal(payload_array(tables[0], "image")[:, :, :, 0], images)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"kind": "table"}, "kind must be one of"),
        ({"format": "idx"}, "source must be"),
        ({"source": "elsewhere"}, "source must be"),
        ({"part": "test"}, "part must be 'all' for digits"),
        ({"window": 3}, "window must be null"),
        ({"columns": {"group": "g"}}, "must be null for digits"),
        ({"columns": {"sensitive": ["s"]}}, r"must be \[\] for kind image"),
        ({"image": {"channels": 2}}, "image.channels must be"),
        ({"labels": {"classes": ["a", "a"]}}, "labels.classes must be"),
        ({"unreadable": "skip"}, "unreadable must be one of"),
    ],
)
def test_params_that_cannot_be_are_refused(wanted, reason):
    with pytest.raises(ValueError, match=reason):
        stage_params.build(Params, section(**wanted), name="ingest")


def test_classes_and_marks_may_be_numbers_in_yaml(tmp_path):
    built = stage_params.build(Params, section(labels={"classes": [1, 0], "unlabelled": [-1, ""]}), name="ingest")
    assert built.labels.settle([]) == ("1", "0")
    assert built.labels.read("-1") is None


# Bad input through the real command line ------------------------------------------------------------------------


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


def test_a_source_over_http_goes_through_the_command_line(tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "x.csv").write_text("label,age\na,1\nb,2\n")
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *one: http.server.SimpleHTTPRequestHandler(*one, directory=str(tmp_path / "web"))
    )
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        fine = command(tmp_path, source=f"{address}/x.csv?key=secret", format="csv", kind="table")
        missing = command(tmp_path, source=f"{address}/y.csv", format="csv", kind="table")
        server.shutdown()
    assert fine.returncode == 0, fine.stderr
    manifest = json.loads((tmp_path / "data" / "ingest" / "manifest.json").read_text())
    assert manifest["source"] == f"{address}/x.csv"
    assert manifest["rows"] == 2
    assert missing.returncode == 1
    assert missing.stderr == f"ingest: {address}/y.csv: expected a file, got status 404 (File not found)\n"
    assert len(list((tmp_path / "data" / "ingest").iterdir())) == 2


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


# Streaming: peak memory does not grow with the rows --------------------------------------------------------------


def big_idx(folder: Path, rows: int) -> dict:
    (folder / "images").write_bytes(idx(np.zeros((rows, 256, 256), np.uint8)))
    return {"source": "images", "format": "idx", "columns": {"label": None}}


def big_npz(folder: Path, rows: int) -> dict:
    np.savez(folder / "x.npz", image=np.zeros((rows, 256, 256), np.uint8))
    return {"source": "x.npz", "format": "npz", "columns": {"label": None}}


def big_parquet(folder: Path, rows: int) -> dict:
    values = np.random.default_rng(0).integers(0, 256, (50, 256, 256, 1), dtype=np.uint8)
    table = pa.table({"image": tensor_column(values)})
    with pq.ParquetWriter(folder / "x.parquet", table.schema) as writer:
        for _ in range(rows // 50):
            writer.write_table(table)
    return {"source": "x.parquet", "format": "parquet", "columns": {"label": None}}


def big_csv(folder: Path, rows: int) -> dict:
    text = "x" * 4096
    with (folder / "x.csv").open("w") as stream:
        stream.write("label,a,b,c,d\n")
        stream.writelines(f"a,{row}{text},{text},{text},{text}\n" for row in range(rows * 4))
    return {"source": "x.csv", "format": "csv", "kind": "table"}


def big_folder(folder: Path, rows: int) -> dict:
    for row in range(rows):
        save_image(folder / "src" / "a" / f"{row}.bmp", Image.new("L", (256, 256), row % 256))
    return {"source": "src", "format": "image_folder"}


# not ru_maxrss: it starts from the peak of the process that started this one
PEAK = """
import runpy
from pathlib import Path
runpy.run_module("tasks.ingest", run_name="__main__")
print(*[line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc for a process's own peak memory")
@pytest.mark.parametrize("big", [big_idx, big_npz, big_parquet, big_csv, big_folder], ids=lambda big: big.__name__)
def test_peak_memory_does_not_grow_with_the_rows(tmp_path, big):
    """From 500 to 1,500 rows of 64 KiB the payload grows by 62 MiB; the peak may by half of that."""
    peaks = []
    for rows in (500, 1500):
        folder = tmp_path / str(rows)
        folder.mkdir()
        YAML().dump({"ingest": section(**big(folder, rows))}, folder / "params.yaml")
        paths = {"PYTHONPATH": str(REPOSITORY), "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
        done = subprocess.run([sys.executable, "-c", PEAK], cwd=folder, env=paths, capture_output=True, check=True)
        peaks.append(int(done.stdout.split()[-1]) / 1024)
    print(f"{big.__name__}: {peaks[0]:.0f} MiB at 500 rows, {peaks[1]:.0f} MiB at 1,500")
    assert peaks[1] - peaks[0] < 62 / 2


# Real data -------------------------------------------------------------------------------------------------------


@pytest.fixture
def real_data() -> Path:
    folder = os.environ.get("MINTMARK_DATA")
    if folder is None:
        pytest.skip("needs the folder of real data files that MINTMARK_DATA names")
    return Path(folder)


@pytest.mark.data
def test_the_test_part_of_fashion_mnist(tmp_path, real_data):
    manifest = ingest(tmp_path, source=str(real_data / "fashion-mnist"), format="idx", part="test")
    assert (manifest["rows"], manifest["shape"]) == (10_000, [28, 28, 1])
    assert manifest["classes"] == {str(code): 1000 for code in range(10)}
    packed = gzip.decompress((real_data / "fashion-mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    assert read_images(records(tmp_path)).images.tobytes() == packed[16:]


@pytest.mark.data
@pytest.mark.parametrize(("name", "rows", "rich"), [("adult.data", 32_561, 7841), ("adult.test", 16_281, 3846)])
def test_adult_as_a_table(tmp_path, real_data, name, rows, rich):
    manifest = ingest(
        tmp_path,
        source=str(real_data / "adult" / name),
        format="csv",
        kind="table",
        columns={"label": "Y", "sensitive": ["race", "sex"], "quasi_identifier": ["age", "native-country"]},
        labels={"strip": "."},
    )
    assert manifest["classes"] == {"<=50K": rows - rich, ">50K": rich}
    table = pq.read_table(records(tmp_path))
    assert table.column("age").type == pa.int64()
    marks = (real_data / "adult" / name).read_text().count("?")
    assert sum(column.null_count for column in table.columns) == marks > 0
    assert len(set(table.column("id").to_pylist())) == rows


@pytest.mark.data
def test_a_series_of_the_numenta_benchmark(tmp_path, real_data):
    file = real_data / "nab" / "data" / "realAWSCloudwatch" / "ec2_cpu_utilization_24ae8d.csv"
    wanted = {"columns": {"label": None, "drop": ["timestamp"]}, "window": 288}  # a day of 5-minute steps
    manifest = ingest(tmp_path, source=str(file), format="csv", kind="series", **wanted)
    assert (manifest["rows"], manifest["unlabelled"], manifest["left_over"]) == (14, 14, 0)
    values = payload_array(pq.read_table(records(tmp_path)), "series")
    expected = np.loadtxt(file, delimiter=",", skiprows=1, usecols=1)
    np.testing.assert_array_equal(values.ravel(), expected.astype(np.float32))
