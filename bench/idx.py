"""Idx files as image sets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64

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


def rows_of_each(
    codes: Int64[np.ndarray, " n"], counts: Sequence[int], rng: np.random.Generator
) -> Int64[np.ndarray, " m"]:
    """Random rows: `counts[code]` of each class, in the order of the classes."""
    drawn = [rng.permutation(np.flatnonzero(codes == code))[:count] for code, count in enumerate(counts)]
    return np.concatenate(drawn)


def _array(path: Path) -> np.ndarray:
    stored = read_header(path)
    with stored.open() as stream:
        return np.frombuffer(stream.read(), stored.dtype).reshape(stored.shape)
