"""The stage ingest: any source in, records and their manifest out; bad input in, one line out and nothing lost."""

import gzip
import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from ruamel.yaml import YAML

from mintmark.data.images import read_images
from mintmark.data.records import payload_array, read_form, record_id
from tasks import params as stage_params
from tasks.ingest import Params, run

REPOSITORY = Path(__file__).parents[2]
DEFAULTS = YAML(typ="safe").load((REPOSITORY / "params.yaml").read_text())["ingest"]


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
