"""idx files, compressed or not, alone or in a folder."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from mintmark.data.idx import Part, labels_name, open_idx
from mintmark.data.pixels import Canvas
from mintmark.errors import BadInput

CANVAS = Canvas(size=None, channels=None, fit="pad", max_pixels=1000)
IMAGES = np.arange(5 * 3 * 2, dtype=np.uint8).reshape(5, 3, 2)
LABELS = np.array([4, 0, 4, 1, 2], np.uint8)
CODES = {"uint8": 0x08, "int8": 0x09, "int32": 0x0C, "float32": 0x0D}


def idx_bytes(array: np.ndarray) -> bytes:
    header = struct.pack(">HBB", 0, CODES[array.dtype.name], array.ndim)
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_idx(path: Path, array: np.ndarray) -> None:
    data = idx_bytes(array)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    write_idx(tmp_path / "train-images-idx3-ubyte", IMAGES)
    write_idx(tmp_path / "train-labels-idx1-ubyte", LABELS)
    return tmp_path / "train-images-idx3-ubyte"


def read(path: Path, *, part: Part = "all", labelled=True):
    source = open_idx(path, canvas=CANVAS, part=part, labelled=labelled)
    batches = list(source.batches())
    images = np.concatenate([batch.payload for batch in batches])
    return images, [label for batch in batches for label in batch.labels], source


def test_images_and_labels_come_back_in_order(pair):
    images, labels, source = read(pair)
    np.testing.assert_array_equal(images[:, :, :, 0], IMAGES)
    assert labels == ["4", "0", "4", "1", "2"]
    assert source.shape == (3, 2, 1)
    assert [file.name for file in source.files()] == ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]


def test_a_part_of_a_folder_is_chosen_by_the_official_names(tmp_path, pair):
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", IMAGES[:2] + 100)
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", LABELS[:2])
    np.testing.assert_array_equal(read(tmp_path, part="test")[0][:, :, :, 0], IMAGES[:2] + 100)
    np.testing.assert_array_equal(read(tmp_path, part="train")[0][:, :, :, 0], IMAGES)
    images, labels, source = read(tmp_path, part="all")
    np.testing.assert_array_equal(images[:, :, :, 0], np.concatenate([IMAGES, IMAGES[:2] + 100]))
    assert labels == ["4", "0", "4", "1", "2", "4", "0"]
    assert next(source.batches()).where[5] == "t10k-images-idx3-ubyte.gz row 1"


def test_labels_of_wider_types_and_none_at_all(tmp_path, pair):
    write_idx(tmp_path / "train-labels-idx1-ubyte", LABELS.astype(np.int32) - 300)
    assert read(pair)[1] == ["-296", "-300", "-296", "-299", "-298"]
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    assert read(pair, labelled=False)[1] == [None] * 5


def test_colour_images_have_four_axes(tmp_path):
    colour = np.arange(2 * 3 * 2 * 3, dtype=np.uint8).reshape(2, 3, 2, 3)
    write_idx(tmp_path / "x", colour)
    np.testing.assert_array_equal(read(tmp_path / "x", labelled=False)[0], colour)


def test_the_name_of_the_labels_follows_from_that_of_the_images():
    assert labels_name("t10k-images-idx3-ubyte.gz") == "t10k-labels-idx1-ubyte.gz"
    assert labels_name("wafers") == "wafers"


@pytest.mark.parametrize("keep", [0, 3, 10, 30, 45])
def test_a_truncated_file_is_refused(pair, keep):
    pair.write_bytes(idx_bytes(IMAGES)[:keep])
    with pytest.raises(BadInput, match=r"train-images-idx3-ubyte.*truncated"):
        read(pair)


@pytest.mark.parametrize("cut", [1, 8, 20])
def test_a_truncated_gzip_is_refused(tmp_path, pair, cut):
    (tmp_path / "train-labels-idx1-ubyte").rename(tmp_path / "train-labels-idx1-ubyte.gz")
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES))[:-cut])
    with pytest.raises(BadInput, match=r"train-images-idx3-ubyte.gz.*truncated"):
        read(path)


def test_a_flipped_bit_in_a_gzip_is_refused(tmp_path, pair):
    (tmp_path / "train-labels-idx1-ubyte").rename(tmp_path / "train-labels-idx1-ubyte.gz")
    data = bytearray(gzip.compress(idx_bytes(IMAGES)))
    data[-6] ^= 1  # in the checksum
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(data)
    with pytest.raises(BadInput, match="corrupt"):
        read(path)


def test_bytes_after_the_end_are_refused(pair):
    pair.write_bytes(idx_bytes(IMAGES) + b"!")
    with pytest.raises(BadInput, match="got more bytes"):
        read(pair)


def test_a_wrong_magic_number_is_named(pair):
    pair.write_bytes(b"\x89PNG" + bytes(40))
    with pytest.raises(BadInput, match=r"expected an idx file .*, got magic 0x89504e47"):
        read(pair)


def test_labels_where_images_are_due_are_refused(tmp_path, pair):
    with pytest.raises(BadInput, match=r"expected images .* got uint8 of shape \(5,\)"):
        read(tmp_path / "train-labels-idx1-ubyte")
    write_idx(pair, IMAGES.astype(np.float32))
    with pytest.raises(BadInput, match=r"expected images .* got float32"):
        read(pair)


def test_labels_must_be_there_and_one_an_image(tmp_path, pair):
    write_idx(tmp_path / "train-labels-idx1-ubyte", LABELS[:4])
    with pytest.raises(BadInput, match="expected 5 labels"):
        read(pair)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(BadInput, match="expected its labels beside it in train-labels-idx1-ubyte, found none"):
        read(pair)


def test_a_folder_without_the_part_is_refused(pair):
    with pytest.raises(BadInput, match="part 'test', found none"):
        read(pair.parent, part="test")


def test_an_empty_set_is_refused(pair):
    write_idx(pair, IMAGES[:0])
    write_idx(pair.with_name("train-labels-idx1-ubyte"), LABELS[:0])
    with pytest.raises(BadInput, match="at least one record"):
        read(pair)
