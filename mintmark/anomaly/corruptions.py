"""Anomalies made from normal images: small corruptions, each with a strength from 0 (nothing) to 1 (all).

An anomaly made so is known to be one, and its image is known to have been normal before. Real faults may look different:
a detector that finds these has shown that it can find something, no more. Knows nothing of detectors.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import UInt8

Pixels = UInt8[np.ndarray, "n height width channels"]


def erase_block(images: Pixels, *, strength: float, rng: np.random.Generator) -> Pixels:
    """A block somewhere, of `strength` times the image's sides, takes the image's mean colour."""
    num_images, height, width, _ = images.shape
    rows, columns = max(1, round(strength * height)), max(1, round(strength * width))
    tops, lefts = rng.integers(0, height - rows + 1, num_images), rng.integers(0, width - columns + 1, num_images)
    inside_rows = (np.arange(height) >= tops[:, None]) & (np.arange(height) < tops[:, None] + rows)
    inside_columns = (np.arange(width) >= lefts[:, None]) & (np.arange(width) < lefts[:, None] + columns)
    inside = inside_rows[:, :, None, None] & inside_columns[:, None, :, None]
    return np.where(inside, images.mean(axis=(1, 2), keepdims=True).round().astype(np.uint8), images)


def shuffle_pixels(images: Pixels, *, strength: float, rng: np.random.Generator) -> Pixels:
    """A share `strength` of the pixels, at least two, changes places in one ring."""
    num_images, height, width, channels = images.shape
    num_moved = max(2, round(strength * height * width))
    places = rng.permuted(np.tile(np.arange(height * width), (num_images, 1)), axis=1)[:, :num_moved]
    flat, of_image = images.reshape(num_images, height * width, channels).copy(), np.arange(num_images)[:, None]
    flat[of_image, places] = flat[of_image, np.roll(places, 1, axis=1)]
    return flat.reshape(images.shape)


def add_noise(images: Pixels, *, strength: float, rng: np.random.Generator) -> Pixels:
    """Every value gets normal noise of standard deviation 255 times `strength`, and is clipped."""
    noisy = images + rng.normal(0.0, 255.0 * strength, images.shape)
    return noisy.round().clip(0, 255).astype(np.uint8)


def invert(images: Pixels, *, strength: float, rng: np.random.Generator) -> Pixels:
    """Every value goes the share `strength` of the way to its negative."""
    del rng  # nothing is drawn
    return (images + strength * (255.0 - 2.0 * images)).round().astype(np.uint8)


def paste_part(images: Pixels, *, strength: float, rng: np.random.Generator) -> Pixels:
    """The left share `strength` of the columns comes from another of the images, each of which gives once.

    Raises:
        ValueError: there is no other image.
    """
    if len(images) < 2:
        raise ValueError(f"images must be at least two to paste one into another, got {len(images)}")
    columns, order = max(1, round(strength * images.shape[2])), rng.permutation(len(images))
    pasted = images.copy()
    pasted[order, :, :columns] = images[np.roll(order, 1), :, :columns]
    return pasted


CORRUPTIONS: Mapping[str, Callable[..., np.ndarray]] = {
    corruption.__name__: corruption for corruption in (erase_block, shuffle_pixels, add_noise, invert, paste_part)
}


def corrupt(images: Pixels, *, name: str, strength: float, rng: np.random.Generator) -> Pixels:
    """The images after the corruption `name`."""
    return CORRUPTIONS[name](images, strength=strength, rng=rng)
