"""Fixtures that every room shares: real digits, toy images, and quiet threads."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from mintmark.data.images import ImageSet
from mintmark.data.records import record_id

torch.set_num_threads(1)  # as the stages do: same bytes on every machine, and workers do not fight


def image_set(images: np.ndarray, codes: np.ndarray, classes: tuple[str, ...]) -> ImageSet:
    ids = [record_id(image.tobytes(), None, row) for row, image in enumerate(images)]
    return ImageSet(ids=ids, codes=codes.astype(np.int64), images=images, classes=classes)


@pytest.fixture(scope="session")
def digits() -> ImageSet:
    """scikit-learn's 1,797 handwritten digits, 8x8x1, 0 to 255."""
    from sklearn.datasets import load_digits

    pixels, codes = (np.asarray(part) for part in load_digits(return_X_y=True))
    images = np.round(pixels.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    return image_set(images, codes, tuple("0123456789"))


@pytest.fixture(scope="session")
def toy_images() -> Callable[..., ImageSet]:
    """Easy images: each class is a bright square at a place of its own, under noise."""

    def make(*, num: int = 60, size: int = 8, channels: int = 1, num_classes: int = 3, seed: int = 0) -> ImageSet:
        rng = np.random.default_rng(seed)
        codes = np.arange(num) % num_classes
        images = rng.integers(0, 60, (num, size, size, channels))
        for row, code in enumerate(codes):
            corner = int(code * (size - size // 3) / max(1, num_classes - 1))
            images[row, corner : corner + size // 3, corner : corner + size // 3] += 180
        return image_set(images.astype(np.uint8), codes, tuple(f"class-{code}" for code in range(num_classes)))

    return make
