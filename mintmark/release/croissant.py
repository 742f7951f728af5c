"""Croissant metadata of the released data (MLCommons Croissant 1.0), checked by mlcroissant as it is built."""

from typing import Any, cast

import mlcroissant as mlc

from mintmark.release.card import DATA_FILE
from mintmark.release.dataset import Dataset
from mintmark.release.quiet import errors_only

FILE_NAME = "croissant.json"


def describe(dataset: Dataset, *, title: str, licence: str, data_sha256: str) -> dict[str, Any]:
    """The metadata as plain JSON values; states no date, so that the same data give the same bytes.

    Args:
        dataset: What the data file holds.
        title: The data set's name for people.
        licence: Its licence.
        data_sha256: The data file's sha256.

    Raises:
        mlcroissant.ValidationError: the metadata are not valid Croissant.
    """
    context = mlc.Context()
    stored = mlc.FileObject(
        id="data", name="data", content_url=DATA_FILE, encoding_formats=["application/x-parquet"], sha256=data_sha256
    )
    with errors_only("absl"):  # it recommends a date and a citation; a date would change the bytes
        metadata = mlc.Metadata(
            ctx=context,
            name=title,
            description=f"{dataset.rows} images in {len(dataset.classes)} classes, all drawn by a generator.",
            license=[licence],
            version="1.0.0",
            distribution=[stored],
            record_sets=[_labels(context, dataset), _records(context)],
        )
    return metadata.to_json()


def _labels(context: Any, dataset: Dataset) -> Any:
    """The class names, as an enumeration that the records refer to."""
    return mlc.RecordSet(
        ctx=context,
        id="labels",
        name="labels",
        data_types=cast("Any", ["https://schema.org/Enumeration"]),
        key=["labels/code"],
        fields=[
            mlc.Field(ctx=context, id="labels/code", name="labels/code", data_types=[mlc.DataType.INTEGER]),
            mlc.Field(ctx=context, id="labels/name", name="labels/name", data_types=[mlc.DataType.TEXT]),
        ],
        data=[{"labels/code": code, "labels/name": name} for code, name in enumerate(dataset.classes)],
    )


def _records(context: Any) -> Any:
    image = mlc.Source(
        file_object="data",
        extract=mlc.Extract(column="image"),
        transforms=[mlc.Transform(json_path="bytes")],
    )
    label = mlc.Source(file_object="data", extract=mlc.Extract(column="label"))
    return mlc.RecordSet(
        ctx=context,
        id="records",
        name="records",
        fields=[
            mlc.Field(
                ctx=context, id="records/image", name="image", data_types=[mlc.DataType.IMAGE_OBJECT], source=image
            ),
            mlc.Field(
                ctx=context,
                id="records/label",
                name="label",
                data_types=[mlc.DataType.INTEGER],
                source=label,
                references=mlc.Source(field="labels/code"),
            ),
        ],
    )
