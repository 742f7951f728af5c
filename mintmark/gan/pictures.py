"""Generated images as one picture for people: a row a class."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from mintmark.data.images import to_bytes
from mintmark.gan.family import AnyGenerator
from mintmark.gan.sampling import sample

INCHES = 0.7  # of one image
COLUMNS = 10
MOST_ROWS = 20
DRAWABLE_CHANNELS = (1, 3, 4)


def class_samples(generator: AnyGenerator, classes: Sequence[str], *, seed: int) -> Figure:
    """A row of samples for each of the first `MOST_ROWS` classes."""
    shown = classes[:MOST_ROWS]
    codes = np.repeat(np.arange(len(shown)), COLUMNS)
    images = np.concatenate([to_bytes(batch) for batch in sample(generator, codes, seed=seed)])
    left_out = f", the first {len(shown)} of {len(classes)} classes" if len(shown) < len(classes) else ""
    grid = images.reshape(len(shown), COLUMNS, *images.shape[1:])
    return sample_grid(grid, row_names=shown, title=f"Generated images, a row a class{left_out}")


def sentence_picture(sentence: str) -> Figure:
    """A sentence where a picture would be."""
    figure = Figure(figsize=(6.0, 0.8), layout="constrained")
    figure.text(0.5, 0.5, sentence, ha="center", va="center")
    return figure


def sample_grid(
    images: UInt8[np.ndarray, "rows columns height width channels"], *, row_names: Sequence[str], title: str
) -> Figure:
    """A picture with one row of images under each name; grey where images have one or two channels.

    Raises:
        ValueError: there is not one name a row.
    """
    rows, columns, _, _, channels = images.shape
    if len(row_names) != rows:
        raise ValueError(f"row_names must be {rows}, got {len(row_names)}")
    shown = images if channels in DRAWABLE_CHANNELS else images[..., :1]
    figure = Figure(figsize=(INCHES * columns + 1.2, INCHES * rows + 0.6), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(rows, columns, squeeze=False)
    for name, row_axes, row in zip(row_names, axes, shown, strict=True):
        row_axes[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for axis, image in zip(row_axes, row, strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
    return figure
