"""Records made elsewhere: every usual form is read, and every fault is named by file and row."""

import io
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mintmark.data.elsewhere import open_elsewhere, records_of
from mintmark.data.images import ImageSet
from mintmark.data.records import Form
from mintmark.errors import BadInput

FORM = Form(kind="image", classes=tuple("0123456789"), shape=(8, 8, 1))


def png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image[..., 0]).save(stream, format="png")
    return stream.getvalue()


def read(path: Path) -> list[ImageSet]:
    return list(records_of(open_elsewhere(path, FORM), FORM, path=path))


@pytest.fixture
def some(digits: ImageSet) -> ImageSet:
    return digits.take(np.arange(30))


def frame(some: ImageSet, **changes: object) -> pd.DataFrame:
    columns = {"image": [png(image) for image in some.images], "label": [some.classes[code] for code in some.codes]}
    return pd.DataFrame(columns | changes)


def test_encoded_images_and_other_columns(some: ImageSet, tmp_path: Path):
    frame(some, quality=0.5).to_parquet(tmp_path / "made.parquet")
    (found,) = read(tmp_path / "made.parquet")
    assert (found.images == some.images).all()
    assert (found.codes == some.codes).all()
    assert len(set(found.ids)) == 30


def test_a_hugging_face_data_set(some: ImageSet, tmp_path: Path):
    made = datasets.Dataset.from_dict(
        {"image": [Image.fromarray(image[..., 0]) for image in some.images], "label": some.codes.tolist()},
        features=datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(some.classes))}),
    )
    made.to_parquet(tmp_path / "made.parquet")
    (found,) = read(tmp_path / "made.parquet")
    assert (found.images == some.images).all()
    assert (found.codes == some.codes).all()


def test_nested_lists_under_any_name(some: ImageSet, tmp_path: Path):
    made = frame(some).drop(columns="image")
    made["pixels"] = [image[..., 0].tolist() for image in some.images]
    made.to_parquet(tmp_path / "made.parquet")
    (found,) = read(tmp_path / "made.parquet")
    assert (found.images == some.images).all()


def test_faults_are_named(some: ImageSet, tmp_path: Path):
    path = tmp_path / "made.parquet"
    frame(some, label=["3"] * 29 + ["ten"]).to_parquet(path)
    with pytest.raises(BadInput, match=r"made.parquet: row 30: expected a label among .*, got 'ten'"):
        read(path)
    frame(some, label=["3"] * 29 + [None]).to_parquet(path)
    with pytest.raises(BadInput, match="got None"):
        read(path)
    frame(some, image=[png(image) for image in some.images[:29]] + [b"no image"]).to_parquet(path)
    with pytest.raises(BadInput, match=r"made\.parquet: row 30"):
        read(path)
    frame(some).rename(columns={"label": "class"}).to_parquet(path)
    with pytest.raises(BadInput, match="expected a column 'label'"):
        read(path)
    frame(some).to_parquet(path)
    with pytest.raises(BadInput, match=r"expected images of \(9, 8, 1\) .*, got \(8, 8, 1\)"):
        open_elsewhere(path, Form(kind="image", classes=FORM.classes, shape=(9, 8, 1)))
    with pytest.raises(BadInput, match="expected a file or a folder"):
        open_elsewhere(tmp_path / "none.parquet", FORM)
