"""Synthetic records that somebody else's generator made: a Parquet file or folder, read in the form of our own.

A column `label` with the names of our classes, and one of images in any form that a source may have. Other columns are
left out. Knows nothing of who made them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mintmark.data.columns import Columns
from mintmark.data.images import ImageSet, synthetic_ids
from mintmark.data.parquet_source import ParquetFiles, open_parquet_images
from mintmark.data.pixels import MOST_PIXELS, Canvas
from mintmark.data.records import Form
from mintmark.data.source import Batch, Source
from mintmark.errors import BadInput

LABEL, IMAGE = "label", "image"


def open_elsewhere(path: Path, form: Form) -> Source:
    """The records at a path.

    Raises:
        BadInput: there is no such Parquet file, it lacks a column, or its images are of another shape than `form`'s.
    """
    parquet = ParquetFiles(path)
    names = parquet.schema.names
    others = tuple(name for name in names if name not in {LABEL, IMAGE})
    if IMAGE not in names and len(others) == 1:
        others = ()  # one column beside the label: whatever it is called, it holds the images
    columns = Columns(label=LABEL, group=None, id=None, drop=others, sensitive=(), quasi_identifier=())
    canvas = Canvas(size=None, channels=None, fit="pad", max_pixels=MOST_PIXELS)
    source = open_parquet_images(parquet, columns=columns, canvas=canvas)
    if source.shape != form.shape:
        raise BadInput(f"{path}: expected images of {form.shape} (height, width, channels), got {source.shape}")
    return source


def records_of(source: Source, form: Form, *, path: Path) -> Iterator[ImageSet]:
    """The records in batches, with ids of their own.

    Raises:
        BadInput: a record has no image, or a label that is no class of `form`; names it.
    """
    codes = {name: code for code, name in enumerate(form.classes)}
    first = 0
    for batch in source.batches():
        images, found = np.asarray(batch.payload), _codes(batch, codes, path)
        yield ImageSet(
            ids=synthetic_ids(images, first=first),
            codes=np.array(found, np.int64),
            images=images,
            classes=form.classes,
        )
        first += len(images)


def _codes(batch: Batch, codes: dict[str, int], path: Path) -> list[int]:
    """The codes of the labels, if no record is at fault."""
    for place, fault in batch.broken.items():
        raise BadInput(f"{path}: {batch.where[place]}: {fault}")
    found = []
    for where, label in zip(batch.where, batch.labels, strict=True):
        if label is None or label not in codes:
            raise BadInput(f"{path}: {where}: expected a label among {list(codes)}, got {label!r}")
        found.append(codes[label])
    return found
