"""Copies and near-copies of training records among synthetic ones.

A synthetic record is a near-copy of a training record where it lies as near as only the closest pairs of real records
do. Nearness is the Euclidean distance of pixels in [0, 1]. The threshold is a low quantile of the distances from each
training record to the nearest other one *of its class*, because classes differ in how alike their records are: one
threshold for all would thin out the tightest class and leave near-copies in the loosest. A generator that had learnt
the population, and no record, would lose about that quantile of its output to the filter, in every class.

Knows nothing of files, and nothing of attacks: a changed attack must not filter a release anew.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from mintmark.data.images import ImageSet
from mintmark.neighbours import nearest


def pixels(images: UInt8[np.ndarray, "n height width channels"]) -> Float[torch.Tensor, "n pixels"]:
    """Images as rows of float32 pixels in [0, 1]."""
    return torch.from_numpy(images.reshape(len(images), -1).astype(np.float32) / 255.0)


def copy_thresholds(train: ImageSet, *, quantile: float, min_class_records: int) -> dict[int, float]:
    """The distance up to which a record is a near-copy of a training record, by the latter's class code.

    Leave-one-out: the `quantile` of the distances from each record of a class to the nearest other one of that class.
    Pairs at distance zero are repeats, which say nothing of how near two different records lie, and are left out. A
    class of fewer than `min_class_records` records takes the quantile over the records of all classes. Unlabelled
    records (-1) count as one class.

    Args:
        train: The training records.
        quantile: From 0 to 1; low.
        min_class_records: From how many records on a class is calibrated by itself.

    Raises:
        ValueError: no two training records differ, so that there is no distance to calibrate on.
    """
    loo = {code: _leave_one_out(train, code) for code in np.unique(train.codes).tolist()}
    everything = np.concatenate(list(loo.values()))
    if not len(everything):
        raise ValueError("train must hold two different records of one class, got none")
    return {
        code: float(np.quantile(distances if len(distances) >= min_class_records else everything, quantile))
        for code, distances in loo.items()
    }


def near_copies(
    images: UInt8[np.ndarray, "n height width channels"], train: ImageSet, *, thresholds: Mapping[int, float]
) -> Bool[np.ndarray, " n"]:
    """Whether each image lies within the threshold of any training record, whatever class the image claims to be.

    Args:
        images: Synthetic images, 0 to 255.
        train: The training records.
        thresholds: As `copy_thresholds` returns them.
    """
    queries = pixels(images)
    copies = np.zeros(len(images), bool)
    for code, threshold in thresholds.items():
        distances = nearest(queries, pixels(train.images[train.codes == code])).distances[:, 0]
        copies |= distances.numpy() <= threshold
    return copies


def _leave_one_out(train: ImageSet, code: int) -> Float[np.ndarray, " n"]:
    """Each record's distance to the nearest other record of the class, without zeros; empty for a single record."""
    records = pixels(train.images[train.codes == code])
    if len(records) < 2:
        return np.zeros(0, np.float32)
    distances = nearest(records, records, same_set=True).distances[:, 0].numpy()
    return distances[distances > 0]
