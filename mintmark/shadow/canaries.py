"""Canaries: records planted by coins in the training data of a twin of the target, which nobody releases.

A third each are natural (records of the population), mislabelled (such records under a wrong class) and noise (pixels
drawn at random, under a class drawn at random): from what leaks like a member to what can only be learnt by heart. Each
has a fair coin of its own, tossed independently of all others, as the one-run bound demands. Knows nothing of training.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool

from mintmark.data.images import ImageSet, read_images, together, write_images
from mintmark.errors import BadInput

KINDS = ("natural", "mislabelled", "noise")


class Canaries(NamedTuple):
    """The canaries.

    Attributes:
        images: As records, labelled as planted.
        kinds: One of `KINDS` each.
        planted: Whether the twin was trained on it.
    """

    images: ImageSet
    kinds: Sequence[str]
    planted: Bool[np.ndarray, " canaries"]

    def of_kind(self, kind: str) -> Bool[np.ndarray, " canaries"]:
        """Which are of one kind."""
        return np.array([one == kind for one in self.kinds], bool)


def make_canaries(spare: ImageSet, *, num: int, rng: np.random.Generator) -> Canaries:
    """Make so many canaries, and toss their coins.

    Args:
        spare: Labelled records that the target was not trained on, of two classes at least.
        num: How many; a multiple of three.
        rng: Of the choice, the labels, the noise and the coins.

    Raises:
        ValueError: there are fewer spare records than natural and mislabelled canaries together.
    """
    each = num // len(KINDS)
    if num % len(KINDS) or len(spare) < 2 * each:
        raise ValueError(
            f"must be a multiple of {len(KINDS)} and at most 3/2 of the {len(spare)} spare records, got {num}"
        )
    rows = rng.permutation(len(spare))
    natural, mislabelled = spare.take(rows[:each]), spare.take(rows[each : 2 * each])
    num_classes = len(spare.classes)
    wrong = (mislabelled.codes + rng.integers(1, num_classes, each)) % num_classes
    noise = rng.integers(0, 256, (each, *spare.shape)).astype(np.uint8)
    images = ImageSet(
        ids=[f"canary-{place}" for place in range(num)],
        codes=np.concatenate([natural.codes, wrong, rng.integers(0, num_classes, each)]),
        images=np.concatenate([natural.images, mislabelled.images, noise]),
        classes=spare.classes,
    )
    return Canaries(images, np.repeat(KINDS, each).tolist(), rng.random(num) < 0.5)


def planted_among(train: ImageSet, canaries: Canaries) -> ImageSet:
    """The training records with those canaries whose coins said so."""
    return together(train, canaries.images.take(canaries.planted))


def write_canaries(folder: Path, canaries: Canaries) -> None:
    """Write `canaries.parquet` and, with kinds and coins, `canary_coins.parquet`."""
    write_images(folder / "canaries.parquet", canaries.images)
    columns = {
        "id": pa.array(list(canaries.images.ids)),
        "kind": pa.array(list(canaries.kinds)),
        "planted": pa.array(canaries.planted),
    }
    pq.write_table(pa.table(columns), folder / "canary_coins.parquet")


def read_canaries(folder: Path) -> Canaries | None:
    """What `write_canaries` wrote; None where there are no canaries.

    Raises:
        BadInput: the two files do not belong together.
    """
    path = folder / "canary_coins.parquet"
    if not path.exists():
        return None
    coins, images = pq.read_table(path).to_pydict(), read_images(folder / "canaries.parquet")
    if coins["id"] != list(images.ids):
        raise BadInput(f"{path}: expected the coins of the canaries beside it, got others")
    return Canaries(images, coins["kind"], np.array(coins["planted"], bool))
