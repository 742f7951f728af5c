"""Positive controls of the releases: training records replayed on purpose, plain or just past the filter.

An audit that does not notice these would not notice a leak either. Knows nothing of attacks.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64

from mintmark.data.images import ImageSet
from mintmark.fidelity.copies import CopyFilter, near_copies, pixels

MARGIN = 1.02  # how far past the threshold, as a factor: room for the rounding to whole grey levels
HALVINGS = 20
TRIES = 5


class Plant(NamedTuple):
    """A release with replayed records in it.

    Attributes:
        release: The records of the release, then the replayed ones.
        replayed: Which members were replayed.
    """

    release: ImageSet
    replayed: Bool[np.ndarray, " members"]


def plant_copies(release: ImageSet, members: ImageSet, *, share: float, rng: np.random.Generator) -> Plant:
    """Add a share of the members to the release, as they are."""
    rows = _choose(len(members), share, rng)
    return _planted(release, members, rows, members.images[rows])


def plant_near_copies(
    release: ImageSet, members: ImageSet, *, share: float, copy_filter: CopyFilter, rng: np.random.Generator
) -> Plant:
    """Add a share of the members to the release, each disturbed until it lies just past the filter's threshold.

    Noise of one random direction is scaled until the distance to the record, after rounding to grey levels, is a
    little above the threshold of the record's class. A result that the filter would still take out, since it came near
    another member, is drawn again; what cannot be placed past the filter is not replayed.

    Args:
        release: What survived the filter.
        members: The training records.
        share: Of the members.
        copy_filter: What it survived.
        rng: Of the choice and the noise.
    """
    rows = _choose(len(members), share, rng)
    wanted = np.array([copy_filter.thresholds[code] * MARGIN for code in members.codes[rows].tolist()])
    images = _disturbed(members.images[rows], wanted, rng)
    for _ in range(TRIES):
        caught = near_copies(images, members, copy_filter)
        if not caught.any():
            break
        images[caught] = _disturbed(members.images[rows[caught]], wanted[caught], rng)
    passed = ~near_copies(images, members, copy_filter)
    return _planted(release, members, rows[passed], images[passed])


def replay_members(
    own: Float[torch.Tensor, "n pixels"], members: ImageSet, *, rate: float, rng: np.random.Generator
) -> tuple[Float[torch.Tensor, "n pixels"], Bool[np.ndarray, " members"]]:
    """The samples of a generator that answers with a random member at the given rate, and which members it gave away."""
    replays = rng.random(len(own)) < rate
    rows = rng.integers(0, len(members), int(replays.sum()))
    samples = own.clone()
    samples[torch.from_numpy(replays)] = pixels(members.images[rows])
    return samples, np.isin(np.arange(len(members)), rows)


def _choose(num_members: int, share: float, rng: np.random.Generator) -> Int64[np.ndarray, " replayed"]:
    return np.sort(rng.permutation(num_members)[: max(1, round(share * num_members))])


def _planted(release: ImageSet, members: ImageSet, rows: np.ndarray, images: np.ndarray) -> Plant:
    ids = [f"replayed-{row}" for row in range(len(rows))]
    whole = ImageSet(
        ids=[*release.ids, *ids],
        codes=np.concatenate([release.codes, members.codes[rows]]),
        images=np.concatenate([release.images, images]),
        classes=release.classes,
    )
    return Plant(whole, np.isin(np.arange(len(members)), rows))


def _disturbed(images: np.ndarray, distances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image at no less than its wanted distance, and as little more as rounding allows, by bisection."""
    noise = rng.normal(size=images.shape)
    places = (-1, *(1,) * (images.ndim - 1))
    low, high = np.zeros(len(images)), np.full(len(images), 255.0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        moved = _rounded(images + noise * middle.reshape(places))
        far = np.linalg.norm((moved - images.astype(float)).reshape(len(images), -1) / 255, axis=1) >= distances
        low, high = np.where(far, low, middle), np.where(far, middle, high)
    return _rounded(images + noise * high.reshape(places)).astype(np.uint8)


def _rounded(images: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(images), 0, 255)
