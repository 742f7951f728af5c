"""Pictures as they are: found in any folder below, named where they cannot be read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mintmark.data.pictures import in_colour, picture_names, read_picture, with_channels
from mintmark.errors import BadInput


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_pictures_of_any_size_are_found_and_read(tmp_path: Path):
    grey, colour = np.arange(12, dtype=np.uint8).reshape(3, 4), np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    write(tmp_path / "b.png", grey)
    write(tmp_path / "a" / "c.PNG", colour)
    (tmp_path / ".hidden").write_text("not a picture")
    assert picture_names(tmp_path) == ["b.png", "a/c.PNG"]
    assert (read_picture(tmp_path / "b.png") == grey[:, :, None]).all()
    assert (read_picture(tmp_path / "a" / "c.PNG") == colour).all()


def test_what_is_no_picture_is_named(tmp_path: Path):
    with pytest.raises(BadInput, match="nowhere: expected a folder of pictures, found none"):
        picture_names(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"expected pictures \(.png"):
        picture_names(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(BadInput, match=r"broken.png: expected an image \(PNG, JPEG, BMP, TIFF\), got something else"):
        read_picture(tmp_path / "broken.png")
    with pytest.raises(BadInput, match=r"absent\.png: "):
        read_picture(tmp_path / "absent.png")
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(BadInput, match=r"notes.txt: expected a picture .* got a file of another name"):
        picture_names(tmp_path)
    with pytest.raises(BadInput, match=r"notes\.txt: expected a folder of pictures, found a file"):
        picture_names(tmp_path / "notes.txt")


def test_one_picture_in_colour_makes_all_of_them_so():
    grey, colour = np.full((2, 3, 1), 7, np.uint8), np.zeros((2, 2, 3), np.uint8)
    assert [one.shape for one in in_colour([grey, grey])] == [(2, 3, 1)] * 2
    assert [one.shape for one in in_colour([grey, colour])] == [(2, 3, 3), (2, 2, 3)]
    assert (in_colour([grey, colour])[0] == 7).all()


def test_grey_is_taken_from_colour_where_nothing_is_lost():
    assert with_channels(np.full((2, 3, 3), 7, np.uint8), 1).shape == (2, 3, 1)
    coloured = np.full((2, 3, 3), 7, np.uint8)
    coloured[0, 0, 1] = 8
    with pytest.raises(ValueError, match="expected gray, got colour"):
        with_channels(coloured, 1)
