"""The built-in digits: scikit-learn's 1,797 handwritten digits, 8 x 8 gray pixels, ten classes.

Small enough for a first run without a network. This module is what the pipeline watches as the source, since the
pixels themselves come with a pinned package.
"""

from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from mintmark.data.pixels import Canvas
from mintmark.data.rows import Row, Rows, source_of_rows
from mintmark.data.source import Source

SOURCE = "mintmark/data/digits.py"
NUM_DIGITS = 1797


def open_digits(*, canvas: Canvas, labelled: bool) -> Source:
    """The digits, their pixels 0..16 scaled to 0..255."""

    def rows() -> Iterator[Row]:
        pixels, codes = (np.asarray(part) for part in load_digits(return_X_y=True))
        images = np.round(pixels.reshape(-1, 8, 8) * 255 / 16).astype(np.uint8)
        for number, (image, code) in enumerate(zip(images, codes, strict=True), start=1):
            label = str(int(code)) if labelled else None
            yield Row(where=f"row {number}", read=lambda image=image: image, label=label)

    return source_of_rows(
        Rows(read=rows, number=NUM_DIGITS, files=_files), kind="image", mould=canvas, path=Path(SOURCE)
    )


def _files() -> Iterator[Path]:
    with as_file(files("sklearn.datasets.data") / "digits.csv.gz") as path:
        yield path
