"""Image data sets in memory, and the tensors that networks eat."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Float, Int64, UInt8

from mintmark.data.records import Form, RecordWriter, num_records, payload_array, read_form, record_id, tensor_column
from mintmark.errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSet:
    """Labelled and unlabelled images, in memory.

    Attributes:
        ids: One id a record.
        codes: Class codes; -1 for an unlabelled record.
        images: Pixels from 0 to 255.
        classes: Class names in the order of their codes.
    """

    ids: Sequence[str]
    codes: Int64[np.ndarray, " n"]
    images: UInt8[np.ndarray, "n height width channels"]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def take(self, rows: np.ndarray) -> "ImageSet":
        """The records at `rows`: indices, or a mask."""
        indices = np.arange(len(self))[rows]
        ids = [self.ids[int(row)] for row in indices]
        return ImageSet(ids=ids, codes=self.codes[indices], images=self.images[indices], classes=self.classes)

    def labelled(self) -> "ImageSet":
        """The records that carry a label."""
        return self.take(self.codes >= 0)

    def tensors(self) -> tuple[Float[torch.Tensor, "n channels height width"], Int64[torch.Tensor, " n"]]:
        """Pixels in [-1, 1] and codes, as networks take them."""
        return to_unit(self.images), torch.from_numpy(self.codes.copy())

    def byte_tensors(self) -> tuple[UInt8[torch.Tensor, "n channels height width"], Int64[torch.Tensor, " n"]]:
        """Pixels from 0 to 255 and codes, in a quarter of the memory; the pixels are shared with this set where they can be."""
        shared = np.require(self.images, requirements="W").transpose(0, 3, 1, 2)
        return torch.from_numpy(shared), torch.from_numpy(self.codes.copy())


def together(*parts: ImageSet) -> ImageSet:
    """The records of several sets of one shape and one list of classes, in order."""
    return ImageSet(
        ids=[one for part in parts for one in part.ids],
        codes=np.concatenate([part.codes for part in parts]),
        images=np.concatenate([part.images for part in parts]),
        classes=parts[0].classes,
    )


def read_images(path: Path) -> ImageSet:
    """Read a record file of images into memory.

    Raises:
        BadInput: the records are of another kind, or the file cannot be read.
    """
    form = read_form(path)
    if form.kind != "image":
        raise BadInput(
            f"{path}: expected records of kind 'image', got kind {form.kind!r}, which this stage cannot serve"
        )
    if num_records(path) == 0:
        empty = np.zeros((0, *form.shape), np.uint8)
        return ImageSet(ids=[], codes=np.zeros(0, np.int64), images=empty, classes=form.classes)
    table = pq.read_table(path, columns=["id", "label", "image"])
    return ImageSet(
        ids=table.column("id").to_pylist(),
        codes=form.codes(table.column("label")),
        images=payload_array(table, "image"),
        classes=form.classes,
    )


def write_images(path: Path, images: ImageSet) -> None:
    """Write images as a record file, whole or not at all."""
    form = Form(kind="image", classes=images.classes, shape=images.shape)
    with RecordWriter(path, form) as writer:
        writer.write(image_batch(images, form))


def image_batch(images: ImageSet, form: Form) -> pa.RecordBatch:
    """The Arrow batch of some images, in the columns of `form`."""
    columns = [pa.array(list(images.ids), pa.string()), form.labels(images.codes), tensor_column(images.images)]
    return pa.RecordBatch.from_arrays(columns, schema=form.schema())


def synthetic_ids(images: UInt8[np.ndarray, "n height width channels"], *, first: int) -> list[str]:
    """Ids of synthetic records: hashes of payload and position, so that equal images keep distinct ids."""
    return [record_id(image.tobytes(), None, first + row) for row, image in enumerate(images)]


def to_unit(images: UInt8[np.ndarray, "n height width channels"]) -> Float[torch.Tensor, "n channels height width"]:
    """Pixels from 0..255 to [-1, 1], channels first."""
    return torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32)) / 127.5 - 1.0


def to_bytes(images: Float[torch.Tensor, "n channels height width"]) -> UInt8[np.ndarray, "n height width channels"]:
    """Pixels from [-1, 1] to 0..255, rounded and clipped, channels last."""
    scaled = ((images.detach().float().cpu() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(scaled.numpy().transpose(0, 2, 3, 1))
