"""Idx files as image sets."""

from pathlib import Path

import numpy as np

from mintmark.data.idx import read_header
from mintmark.data.images import ImageSet


def read(folder: Path, part: str) -> ImageSet:
    """The part "train" or "t10k" of a folder of gzipped idx files.

    Raises:
        BadInput: a file is missing or broken.
    """
    pixels, codes = (_array(folder / f"{part}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
    classes = tuple(str(code) for code in range(int(codes.max()) + 1))
    ids = [f"{part}-{row}" for row in range(len(codes))]
    return ImageSet(ids=ids, codes=codes.astype(np.int64), images=pixels[..., None], classes=classes)


def few_of_each(images: ImageSet, num: int, *, rng: np.random.Generator) -> np.ndarray:
    """Rows of `num` records of each class, drawn at random, in the order of the classes."""
    rows = [rng.permutation(np.flatnonzero(images.codes == code))[:num] for code in range(len(images.classes))]
    return np.concatenate(rows)


def _array(path: Path) -> np.ndarray:
    stored = read_header(path)
    with stored.open() as stream:
        return np.frombuffer(stream.read(), stored.dtype).reshape(stored.shape)
