"""Copies and near-copies of training records among synthetic ones.

A synthetic record is a near-copy of a training record where it lies as near as only the closest pairs of real records
do. Nearness is the Euclidean distance of pixels in [0, 1], in the best of some poses: moved a little, mirrored. The
threshold is a low quantile of the distances from each training record to the nearest other one *of its class*, in the
same poses, because classes differ in how alike their records are: one threshold for all would thin out the tightest
class and leave near-copies in the loosest. A generator that had learnt the population, and no record, would lose about
that quantile of its output to the filter, in every class. With the distances to a later neighbour instead of the
nearest, a few odd pairs of training records no longer set the threshold, and the filter takes more.

Knows nothing of files, and nothing of attacks: a changed attack must not filter a release anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from mintmark.data.images import ImageSet
from mintmark.fidelity.poses import PLAIN, Poses, nearest_posed

UNLABELLED = "unlabelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyFilter:
    """What counts as a near-copy.

    Attributes:
        thresholds: By the training record's class code (-1: unlabelled), the distance up to which a record is one.
        poses: In which distances are measured.
    """

    thresholds: Mapping[int, float]
    poses: Poses = PLAIN

    def as_facts(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """The filter as JSON values, thresholds by the classes' names."""
        names = {code: UNLABELLED if code < 0 else classes[code] for code in self.thresholds}
        thresholds = {names[code]: threshold for code, threshold in self.thresholds.items()}
        return {"thresholds": thresholds, "shifts": self.poses.shifts, "flip": self.poses.flip}


def filter_from_facts(facts: Mapping[str, Any], records: ImageSet) -> CopyFilter:
    """The filter that `as_facts` put down, for the classes of `records`.

    No threshold is less than that of unlabelled records, which may hide in any class.

    Raises:
        ValueError: a class of the records has no threshold.
    """
    stated = facts.get("thresholds", {})
    names = {code: records.classes[code] for code in np.unique(records.codes).tolist()}
    lacking = sorted(set(names.values()) - set(stated))
    if lacking:
        raise ValueError(f"expected thresholds of every class, lacks {lacking}")
    least = float(stated.get(UNLABELLED, 0.0))
    return CopyFilter(
        thresholds={code: max(least, float(stated[name])) for code, name in names.items()},
        poses=Poses(shifts=facts.get("shifts", 0), flip=facts.get("flip", False)),
    )


def pixels(images: UInt8[np.ndarray, "n height width channels"]) -> Float[torch.Tensor, "n pixels"]:
    """Images as rows of float32 pixels in [0, 1]."""
    return torch.from_numpy(images.reshape(len(images), -1).astype(np.float32) / 255.0)


def calibrated_filter(
    train: ImageSet, *, quantile: float, min_class_records: int, neighbours: int = 1, poses: Poses = PLAIN
) -> CopyFilter:
    """The filter whose thresholds are a quantile of the distances between training records, by class.

    Leave-one-out: the `quantile` of the distances from each record of a class to the nearest other one of that class,
    or to a later neighbour. Pairs at distance zero are repeats, which say nothing of how near two different records
    lie, and are left out. A class of fewer than `min_class_records` records takes the quantile over the records of all
    classes. Unlabelled records (-1) count as one class.

    Args:
        train: The training records.
        quantile: From 0 to 1; low.
        min_class_records: From how many records on a class is calibrated by itself.
        neighbours: Which neighbour's distance is taken, from 1; the last one in a class that has not so many.
        poses: In which distances are measured, here and in the filter.

    Raises:
        ValueError: no two training records differ, so that there is no distance to calibrate on; or the images are too
            small for the shifts.
    """
    classes = np.unique(train.codes).tolist()
    loo = {code: _leave_one_out(train, code, neighbours=neighbours, poses=poses) for code in classes}
    everything = np.concatenate(list(loo.values()))
    if not len(everything):
        raise ValueError("train must hold two different records of one class, got none")
    thresholds = {
        code: float(np.quantile(distances if len(distances) >= min_class_records else everything, quantile))
        for code, distances in loo.items()
    }
    return CopyFilter(thresholds=thresholds, poses=poses)


def near_copies(
    images: UInt8[np.ndarray, "n height width channels"], train: ImageSet, copy_filter: CopyFilter
) -> Bool[np.ndarray, " n"]:
    """Whether each image lies within the threshold of any training record, whatever class the image claims to be.

    Args:
        images: Synthetic images, 0 to 255.
        train: The training records.
        copy_filter: Which has a threshold for each of their classes.
    """
    copies = np.zeros(len(images), bool)
    for code, threshold in copy_filter.thresholds.items():
        found = nearest_posed(images, train.images[train.codes == code], poses=copy_filter.poses)
        copies |= found.distances[:, 0].numpy() <= threshold
    return copies


def _leave_one_out(train: ImageSet, code: int, *, neighbours: int, poses: Poses) -> Float[np.ndarray, " n"]:
    """Each record's distance to a neighbour of its class, without zeros; empty for a single record."""
    records = train.images[train.codes == code]
    if len(records) < 2:
        return np.zeros(0, np.float32)
    found = nearest_posed(records, records, poses=poses, k=min(neighbours, len(records) - 1), same_set=True)
    distances = found.distances[:, -1].numpy()
    return distances[distances > 0]
