"""Nearest images where one may be the other moved by a few pixels, or its mirror image.

Of each pose, two images are compared on the part of the plane that both cover, so that it does not matter with what a
copy's edge was filled; the distance is scaled up to the whole plane, as if the rest differed as much. A pose costs one
exact pass over all pairs: (2 shifts + 1) squared passes, twice as many with mirror images. Knows nothing of copies.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8

from mintmark.neighbours import Neighbours, nearest


@dataclass(frozen=True, kw_only=True, slots=True)
class Poses:
    """In what poses an image still counts as the same.

    Attributes:
        shifts: Moved by up to so many pixels along each axis.
        flip: Whether its left-right mirror image counts too.
    """

    shifts: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        if self.shifts < 0:
            raise ValueError(f"shifts must be at least 0, got {self.shifts}")

    def __iter__(self) -> Iterator["Pose"]:
        """Every pose, the plain one first."""
        reach = sorted(range(-self.shifts, self.shifts + 1), key=abs)
        for mirrored, down, right in itertools.product((False, True)[: 1 + self.flip], reach, reach):
            yield Pose(down, right, mirrored)


class Pose(NamedTuple):
    """An image mirrored or not, then moved by whole pixels."""

    down: int
    right: int
    mirrored: bool


PLAIN = Poses()


def nearest_posed(
    queries: UInt8[np.ndarray, "queries height width channels"],
    reference: UInt8[np.ndarray, "reference height width channels"],
    *,
    poses: Poses = PLAIN,
    k: int = 1,
    same_set: bool = False,
) -> Neighbours:
    """The k nearest reference images of each query, each in the pose in which it is nearest.

    Exact: a reference image among the k nearest over all poses is among the k nearest of its best pose.

    Args:
        queries: Pixels from 0 to 255.
        reference: Pixels from 0 to 255.
        poses: In which the queries are tried.
        k: How many neighbours.
        same_set: Whether `queries` is `reference`; then no image is its own neighbour, in any pose.

    Returns:
        Distances of pixels from 0 to 1, and rows of `reference`.

    Raises:
        ValueError: a shift leaves nothing of an image to compare, or there are fewer than k reference images to find.
    """
    height, width = queries.shape[1:3]
    if poses.shifts >= min(height, width):
        raise ValueError(f"shifts must be below the images' sides {height}x{width}, got {poses.shifts}")
    found = [_in_pose(queries, reference, pose, k=k, same_set=same_set) for pose in poses]
    if len(found) == 1:
        return found[0]
    distances, indices = torch.cat([one.distances for one in found], 1), torch.cat([one.indices for one in found], 1)
    best: list[Neighbours] = []
    for _ in range(k):  # an image may stand there once a pose: once taken, it is out in all
        distance, place = distances.min(dim=1, keepdim=True)
        index = indices.gather(1, place)
        distances = distances.masked_fill(indices == index, torch.inf)
        best.append(Neighbours(distance, index))
    return Neighbours(torch.cat([one.distances for one in best], 1), torch.cat([one.indices for one in best], 1))


def _in_pose(queries: np.ndarray, reference: np.ndarray, pose: Pose, *, k: int, same_set: bool) -> Neighbours:
    height, width = queries.shape[1:3]
    if pose.mirrored:
        queries = queries[:, :, ::-1]
    rows, columns = _windows(pose.down, height), _windows(pose.right, width)
    moved, still = queries[:, rows[0], columns[0]], reference[:, rows[1], columns[1]]
    seen = moved.shape[1] * moved.shape[2] / (height * width)
    found = nearest(_flat(moved), _flat(still), k=k, same_set=same_set)
    return found if seen == 1.0 else Neighbours(found.distances / math.sqrt(seen), found.indices)


def _windows(shift: int, side: int) -> tuple[slice, slice]:
    """Which part of a moved side, and of the still one, both cover."""
    return slice(max(0, shift), side + min(0, shift)), slice(max(0, -shift), side - max(0, shift))


def _flat(images: UInt8[np.ndarray, "n height width channels"]) -> Float[torch.Tensor, "n pixels"]:
    return torch.from_numpy(images.reshape(len(images), -1).astype(np.float32) / 255.0)
