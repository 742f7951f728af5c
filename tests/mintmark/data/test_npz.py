"""npz archives, read without unpickling."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from mintmark.data.columns import Columns
from mintmark.data.npz import open_npz
from mintmark.data.pixels import Canvas
from mintmark.data.records import Kind
from mintmark.data.rows import Mould, SeriesMould
from mintmark.errors import BadInput

CANVAS = Canvas(size=None, channels=None, fit="pad", max_pixels=1000)
IMAGES = np.arange(5 * 3 * 2, dtype=np.uint8).reshape(5, 3, 2)
LABELS = np.array([4, 0, 4, 1, 2])


def columns(*, label="y", drop=()) -> Columns:
    return Columns(label=label, group=None, id=None, drop=drop, sensitive=(), quasi_identifier=())


def read(path: Path, *, kind: Kind = "image", mould: Mould = CANVAS, **named):
    source = open_npz(path, kind=kind, columns=columns(**named), mould=mould)
    batches = list(source.batches())
    return np.concatenate([batch.payload for batch in batches]), [label for one in batches for label in one.labels]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_and_labels_come_back(tmp_path, save):
    save(tmp_path / "x.npz", x=IMAGES, y=LABELS)
    images, labels = read(tmp_path / "x.npz")
    np.testing.assert_array_equal(images[:, :, :, 0], IMAGES)
    assert labels == ["4", "0", "4", "1", "2"]


def test_arrays_that_are_dropped_do_not_matter(tmp_path):
    np.savez(tmp_path / "x.npz", x_train=IMAGES, y_train=LABELS[:, None], x_test=IMAGES[:1], y_test=LABELS[:1])
    images, labels = read(tmp_path / "x.npz", label="y_train", drop=("x_test", "y_test"))
    assert images.shape == (5, 3, 2, 1)
    assert labels == ["4", "0", "4", "1", "2"]
    with pytest.raises(BadInput, match="expected one array beside"):
        read(tmp_path / "x.npz", label="y_train")


def test_labels_may_be_text_or_absent(tmp_path):
    np.savez(tmp_path / "x.npz", x=IMAGES[:2].astype(np.int64), y=np.array(["cat", "dög"]))
    assert read(tmp_path / "x.npz")[1] == ["cat", "dög"]
    assert read(tmp_path / "x.npz", label=None, drop=("y",))[1] == [None, None]


def test_series_are_float32(tmp_path):
    series = np.random.default_rng(0).normal(size=(4, 7, 2))
    np.savez(tmp_path / "x.npz", x=series, y=LABELS[:4])
    values, _ = read(tmp_path / "x.npz", kind="series", mould=SeriesMould())
    np.testing.assert_array_equal(values, series.astype(np.float32))
    np.savez(tmp_path / "x.npz", x=series[:, :, 0], y=LABELS[:4])
    assert read(tmp_path / "x.npz", kind="series", mould=SeriesMould())[0].shape == (4, 7, 1)


def test_python_objects_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.array([{"a": 1}], dtype=object), y=LABELS[:1])
    with pytest.raises(BadInput, match=r"x.npz: array 'x': expected numbers or text"):
        read(tmp_path / "x.npz")


def test_fortran_order_cannot_be_streamed(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.asfortranarray(IMAGES), y=LABELS)
    with pytest.raises(BadInput, match="in C order, got Fortran's order"):
        read(tmp_path / "x.npz")


def test_a_truncated_archive_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", x=IMAGES, y=LABELS)
    (tmp_path / "x.npz").write_bytes((tmp_path / "x.npz").read_bytes()[:-40])
    with pytest.raises(BadInput, match=r"x.npz: expected an npz file, got something else"):
        read(tmp_path / "x.npz")


def test_a_corrupt_member_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", x=IMAGES, y=LABELS)
    data = bytearray((tmp_path / "x.npz").read_bytes())
    data[data.find(IMAGES.tobytes()) + 5] ^= 1
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(BadInput, match="corrupt"):
        read(tmp_path / "x.npz")


def test_a_member_shorter_than_its_header_says_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", IMAGES)
    np.save(tmp_path / "y.npy", LABELS)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", (tmp_path / "x.npy").read_bytes()[:-7])
        archive.write(tmp_path / "y.npy", "y.npy")
    with pytest.raises(BadInput, match="expected 5 rows, got only 3"):
        read(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x": IMAGES, "y": LABELS[:3]}, "expected 5 labels"),
        ({"x": IMAGES, "y": np.eye(5)}, "expected 5 labels"),
        ({"x": IMAGES[:, 0], "y": LABELS}, "expected numbers with 3 or 4 axes"),
        ({"x": IMAGES}, "expected a column 'y'"),
        ({"x": np.array(["a"]), "y": LABELS[:1]}, "expected numbers with"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays, reason):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(BadInput, match=reason):
        read(tmp_path / "x.npz")


def test_a_missing_file_and_another_format_are_refused(tmp_path):
    with pytest.raises(BadInput, match="found none"):
        read(tmp_path / "x.npz")
    (tmp_path / "x.npz").write_text("hello")
    with pytest.raises(BadInput, match="something else"):
        read(tmp_path / "x.npz")
