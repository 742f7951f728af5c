"""Folders of images, one subfolder a class."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mintmark.data.image_folder import open_image_folder
from mintmark.data.pixels import Canvas
from mintmark.errors import BadInput

CANVAS = Canvas(size=None, channels=None, fit="pad", max_pixels=1000)


def save(path: Path, value: int, *, size: tuple[int, int] = (3, 2), mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size[1], size[0]), value).save(path)


def read(path: Path, *, canvas: Canvas = CANVAS, labelled: bool = True):
    source = open_image_folder(path, canvas=canvas, labelled=labelled)
    (batch,) = source.batches()
    return batch, source


def test_classes_are_the_first_folders_in_a_fixed_order(tmp_path):
    for name, value in [
        ("dog/b.png", 4),
        ("dog/A.bmp", 3),
        ("cat/2/x.tif", 2),
        ("cat/10.png", 1),
        ("unlabelled/u.tiff", 5),
    ]:
        save(tmp_path / name, value)
    (tmp_path / "cat" / ".DS_Store").write_text("x")
    (tmp_path / "dog" / "Thumbs.db").write_text("x")
    batch, source = read(tmp_path)
    assert list(batch.where) == ["cat/10.png", "cat/2/x.tif", "dog/A.bmp", "dog/b.png", "unlabelled/u.tiff"]
    assert list(batch.labels) == ["cat", "cat", "dog", "dog", "unlabelled"]
    np.testing.assert_array_equal(batch.payload[:, 0, 0, 0], [1, 2, 3, 4, 5])
    assert source.shape == (3, 2, 1)
    assert [file.relative_to(tmp_path).as_posix() for file in source.files()] == list(batch.where)


def test_without_labels_any_tree_will_do(tmp_path):
    save(tmp_path / "a.png", 1)
    save(tmp_path / "b" / "c.png", 2)
    batch, _ = read(tmp_path, labelled=False)
    assert list(batch.where) == ["a.png", "b/c.png"]
    assert list(batch.labels) == [None, None]
    with pytest.raises(BadInput, match=r"expected one folder a class, got the file a.png beside them"):
        read(tmp_path)


def test_images_of_other_sizes_are_broken_unless_a_size_is_wanted(tmp_path):
    save(tmp_path / "a" / "1.png", 9)
    save(tmp_path / "a" / "2.png", 9, size=(4, 2), mode="L")
    save(tmp_path / "b" / "3.png", 9, mode="RGB")
    batch, _ = read(tmp_path)
    assert sorted(batch.broken) == [1, 2]
    assert "expected 3 x 2 x 1 as the first image, got 4 x 2 x 1" in batch.broken[1]
    wanted = Canvas(size=(4, 4), channels=1, fit="pad", max_pixels=1000)
    batch, source = read(tmp_path, canvas=wanted)
    assert not batch.broken
    assert source.shape == (4, 4, 1)


def test_files_that_are_no_images_are_broken_and_lose_nothing_else(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_text("I am text")
    (tmp_path / "a" / "notes.txt").write_text("I am text")
    save(tmp_path / "a" / "2.png", 7)
    batch, source = read(tmp_path)
    assert source.shape == (3, 2, 1)
    assert set(batch.broken) == {0, 2}
    assert "expected an image" in batch.broken[0]
    np.testing.assert_array_equal(batch.payload[:, 0, 0, 0], [0, 7, 0])


def test_a_folder_that_is_missing_empty_or_a_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match="expected a folder of images, found none"):
        read(tmp_path / "x")
    with pytest.raises(BadInput, match=r"expected images .* found none"):
        read(tmp_path)
    save(tmp_path / "a.png", 1)
    with pytest.raises(BadInput, match="expected a folder of images, found a file"):
        read(tmp_path / "a.png")


def test_a_folder_without_a_readable_image_is_refused_with_the_first_reason(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_text("I am text")
    with pytest.raises(BadInput, match=r"a/1.png: expected an image"):
        read(tmp_path)


def test_a_file_name_that_is_no_text_is_refused(tmp_path):
    save(tmp_path / "a" / "1.png", 1)
    (tmp_path / "a" / "1.png").rename(tmp_path / "a" / "2\n.png")
    with pytest.raises(BadInput, match="printable") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)
