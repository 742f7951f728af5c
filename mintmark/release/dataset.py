"""The synthetic data as others read them: Parquet with PNG bytes in the Hugging Face `image` struct.

`datasets.load_dataset("parquet", data_files=...)` opens the file with decoded images and named classes, because the
schema's metadata carry its feature description. Ids stay inside. Streams: holds one batch.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mintmark.data.records import Form, iter_batches, payload_array, read_form
from mintmark.errors import BadInput
from mintmark.release.pictures import MODES, encode_png

ROWS_PER_BATCH = 1024
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """What a written data set is, for its card and metadata.

    Attributes:
        classes: Class names in the order of their codes.
        shape: (height, width, channels).
        counts: Rows of each class; rows without a label under "".
        first: The first images of each class, (classes * per class, height, width, channels), for a sheet.
        first_per_class: How many those are, the same for each class; 0 where a class has none.
    """

    classes: tuple[str, ...]
    shape: tuple[int, ...]
    counts: dict[str, int]
    first: np.ndarray
    first_per_class: int

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(self.counts.values())


def features(classes: tuple[str, ...]) -> dict[str, object]:
    """The Hugging Face feature description of such a file."""
    return {"image": {"_type": "Image"}, "label": {"names": list(classes), "_type": "ClassLabel"}}


def write_dataset(source: Path, target: Path, *, first_per_class: int = 8) -> Dataset:
    """Copy the images of a record file into a file for others, and say what it holds.

    Raises:
        BadInput: the records are not images, or PNG has no form for their channels.
    """
    form = read_form(source)
    if form.kind != "image" or form.shape[2] not in MODES:
        raise BadInput(f"{source}: expected images of 1 to 4 channels, got kind {form.kind!r} of shape {form.shape}")
    metadata = {b"huggingface": json.dumps({"info": {"features": features(form.classes)}}, sort_keys=True).encode()}
    schema = pa.schema([pa.field("image", _IMAGE), pa.field("label", pa.int64())], metadata=metadata)
    counts = dict.fromkeys(form.classes, 0)
    first: dict[int, list[np.ndarray]] = {code: [] for code in range(len(form.classes))}
    # PNG does not shrink further, and plain pages let anybody search the bytes
    with pq.ParquetWriter(target, schema, compression="none", use_dictionary=False) as writer:
        for batch in iter_batches(source, rows=ROWS_PER_BATCH, columns=["label", "image"]):
            images, codes = payload_array(batch, "image"), form.codes(batch.column("label"))
            writer.write_batch(_batch(images, codes, schema))
            for code in np.unique(codes).tolist():
                name = "" if code < 0 else form.classes[code]
                counts[name] = counts.get(name, 0) + int((codes == code).sum())
                if code >= 0 and len(first[code]) < first_per_class:
                    first[code] += list(images[codes == code][: first_per_class - len(first[code])])
    return _described(form, counts, first)


def _batch(images: np.ndarray, codes: np.ndarray, schema: pa.Schema) -> pa.RecordBatch:
    pictures = pa.array([{"bytes": encode_png(image), "path": None} for image in images], _IMAGE)
    return pa.RecordBatch.from_arrays([pictures, pa.array(codes, pa.int64(), mask=codes < 0)], schema=schema)


def _described(form: Form, counts: dict[str, int], first: dict[int, list[np.ndarray]]) -> Dataset:
    shown = min((len(images) for images in first.values()), default=0)
    images = [image for code in sorted(first) for image in first[code][:shown]]
    stacked = np.stack(images) if images else np.zeros((0, *form.shape), np.uint8)
    return Dataset(classes=form.classes, shape=form.shape, counts=counts, first=stacked, first_per_class=shown)
