"""The search finds every planted record, wherever it hides, and nothing where there is none."""

import base64
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mintmark.data.images import ImageSet, write_images
from mintmark.release.dataset import write_dataset
from mintmark.release.pictures import encode_png, sheet
from mintmark.release.search import count_copies, gather, search


@pytest.fixture(scope="module")
def real(digits: ImageSet, tmp_path_factory):
    path = tmp_path_factory.mktemp("real") / "train.parquet"
    write_images(path, digits.take(np.arange(50)))
    return gather([path])


def png_in_parquet(folder, image: np.ndarray, _):
    pq.write_table(pa.table({"image": [{"bytes": encode_png(image), "path": None}]}), folder / "a.parquet")


def tensor_in_parquet(folder, image: np.ndarray, _):
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(np.stack([image, image]))
    pq.write_table(pa.table({"image": column}), folder / "a.parquet", compression="zstd")


def id_in_parquet(folder, _, identity: str):
    pq.write_table(pa.table({"note": [f"from {identity}"]}), folder / "a.parquet", compression="zstd")


def colour_sheet(folder, image: np.ndarray, _):
    grey = sheet(np.stack([np.zeros_like(image), image]), columns=2)
    (folder / "a.png").write_bytes(encode_png(grey.repeat(3, axis=2)))


PLANTS = {
    "raw pixels": lambda folder, image, _: (folder / "a.bin").write_bytes(b"before" + image.tobytes() + b"after"),
    "a PNG": lambda folder, image, _: (folder / "a.png").write_bytes(encode_png(image)),
    "a PNG in Parquet": png_in_parquet,
    "a tensor in Parquet": tensor_in_parquet,
    "an enlarged picture in colour on a sheet": colour_sheet,
    "a picture in HTML": lambda folder, image, _: (folder / "a.html").write_text(
        f'<img src="data:image/png;base64,{base64.b64encode(encode_png(image)).decode()}">'
    ),
    "an id in JSON": lambda folder, _, identity: (folder / "a.json").write_text(json.dumps({"row": identity})),
    "an id within a longer number": lambda folder, _, identity: (folder / "a.txt").write_text(f"0f{identity}a1"),
    "an id in Parquet": id_in_parquet,
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_planted_record_is_found(tmp_path, digits: ImageSet, real, plant):
    plant(tmp_path, digits.images[7], digits.ids[7])
    assert search(tmp_path, real)


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_record_that_is_not_real_is_not_found(tmp_path, digits: ImageSet, real, plant):
    plant(tmp_path, digits.images[60], digits.ids[60])
    assert search(tmp_path, real) == []


def test_one_changed_pixel_is_not_an_exact_copy(tmp_path, digits: ImageSet, real):
    changed = digits.images[7].copy()
    changed[3, 3, 0] ^= 1
    (tmp_path / "a.bin").write_bytes(changed.tobytes())
    assert search(tmp_path, real) == []


def test_a_record_across_the_border_of_two_chunks_is_found(tmp_path, digits: ImageSet, real, monkeypatch):
    monkeypatch.setattr("mintmark.release.search._CHUNK", 100)
    (tmp_path / "a.bin").write_bytes(b"x" * 70 + digits.images[7].tobytes())
    assert search(tmp_path, real)


def test_images_of_one_colour_are_not_looked_for(tmp_path, digits: ImageSet):
    blank = np.zeros((1, 8, 8, 1), np.uint8)
    write_images(
        tmp_path / "blank.parquet", ImageSet(ids=["0" * 32], codes=np.array([0]), images=blank, classes=digits.classes)
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.bin").write_bytes(bytes(1000))
    assert search(tmp_path / "out", gather([tmp_path / "blank.parquet"])) == []


def test_copies_among_synthetic_records_are_counted(tmp_path, digits: ImageSet, real, source):
    assert count_copies(source, real) == 0
    write_images(tmp_path / "mixed.parquet", digits.take(np.arange(47, 60)))
    assert count_copies(tmp_path / "mixed.parquet", real) == 3


def test_the_released_form_hides_no_record_from_the_search(tmp_path, digits: ImageSet, real):
    write_images(tmp_path / "leak.parquet", digits.take(np.array([55, 49])))
    (tmp_path / "out").mkdir()
    write_dataset(tmp_path / "leak.parquet", tmp_path / "out" / "data.parquet")
    assert search(tmp_path / "out", real) == ["data.parquet, column image: the picture of a real record"]


def test_windows_are_hashed_as_the_definition_says():
    from mintmark.release.search import _BASE, _window_hashes

    rows = np.array([[3, 1, 4, 1, 5]], np.uint8)
    base = int(_BASE)
    expected = [sum(int(rows[0, at + step]) * base**step for step in range(3)) % 2**64 for at in range(3)]
    assert _window_hashes(rows, 3)[0].tolist() == expected
