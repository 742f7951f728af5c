"""The trial that every detector stands: which test records stay normal, and which are made anomalous, once each.

A record lies on one side only, and in one corruption only, so that every score is of another record and the intervals
may count records. Draws are stratified by class. Knows nothing of detectors.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64

from mintmark.anomaly.corruptions import corrupt
from mintmark.classify.strata import by_class, deal
from mintmark.data.images import ImageSet, to_unit
from mintmark.errors import BadInput

LEAST_PER_PART = 2  # two images, to paste one into the other


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trial:
    """Images in [-1, 1] to judge detectors with.

    Attributes:
        normals: Untouched test records.
        normal_codes: Their classes; -1 where there is no label.
        anomalies: By corruption, other test records after it.
        anomaly_codes: Their classes before it.
    """

    normals: Float[torch.Tensor, "normals channels height width"]
    normal_codes: Int64[np.ndarray, " normals"]
    anomalies: Mapping[str, Float[torch.Tensor, "anomalies channels height width"]]
    anomaly_codes: Mapping[str, Int64[np.ndarray, " anomalies"]]


def set_up(test: ImageSet, *, corruptions: Mapping[str, float], max_records: int, rng: np.random.Generator) -> Trial:
    """Deal the test records to the trial's two sides.

    Args:
        test: Records that no detector was fitted on or calibrated with.
        corruptions: The strength of each.
        max_records: The most records that either side may have.
        rng: Where the draws come from.

    Raises:
        BadInput: the records are too few for so many corruptions.
    """
    _require(test, 2 * LEAST_PER_PART * len(corruptions), corruptions)
    side = deal(test.codes, num_parts=2, rng=rng)
    normals, sources = (at_most(test.take(side == which), max_records=max_records, rng=rng) for which in range(2))
    anomalies, codes = _corrupted(sources, corruptions, rng)
    return Trial(normals=to_unit(normals.images), normal_codes=normals.codes, anomalies=anomalies, anomaly_codes=codes)


def grades(
    test: ImageSet, *, corruptions: Mapping[str, float], mildness: float, max_records: int, rng: np.random.Generator
) -> dict[str, Float[torch.Tensor, "n channels height width"]]:
    """Test records dealt to three grades: untouched, mildly corrupted and corrupted.

    Args:
        test: Records that no detector was fitted on.
        corruptions: The strength of each; every one makes equally many.
        mildness: Times the strengths, for the mild ones.
        max_records: The most records of a grade.
        rng: Where the draws come from.

    Raises:
        BadInput: the records are too few for so many corruptions.
    """
    _require(test, 3 * LEAST_PER_PART * len(corruptions), corruptions)
    grade = deal(test.codes, num_parts=3, rng=rng)
    untouched, mild, strong = (
        at_most(test.take(grade == which), max_records=max_records, rng=rng) for which in range(3)
    )
    weaker = {name: mildness * strength for name, strength in corruptions.items()}
    return {
        "untouched": to_unit(untouched.images),
        "mildly corrupted": torch.cat(list(_corrupted(mild, weaker, rng)[0].values())),
        "corrupted": torch.cat(list(_corrupted(strong, corruptions, rng)[0].values())),
    }


def at_most(images: ImageSet, *, max_records: int, rng: np.random.Generator) -> ImageSet:
    """All of the images, or a stratified random `max_records` of them, in their order."""
    if len(images) <= max_records:
        return images
    kept = by_class(images.codes, rng=rng)[np.arange(max_records) * len(images) // max_records]
    return images.take(np.sort(kept))


def divide(images: ImageSet, *, share: float, rng: np.random.Generator) -> tuple[ImageSet, ImageSet]:
    """A stratified random `share` of the images, and the others, both in their order."""
    taken = np.zeros(len(images), bool)
    num_taken = round(share * len(images))
    taken[by_class(images.codes, rng=rng)[np.arange(num_taken) * len(images) // max(num_taken, 1)]] = True
    return images.take(taken), images.take(~taken)


def _require(test: ImageSet, least: int, corruptions: Mapping[str, float]) -> None:
    if len(test) < least:
        raise BadInput(f"test: expected at least {least} records for {len(corruptions)} corruptions, got {len(test)}")


def _corrupted(
    sources: ImageSet, corruptions: Mapping[str, float], rng: np.random.Generator
) -> tuple[dict[str, torch.Tensor], dict[str, np.ndarray]]:
    """Images after each corruption and their classes before it; every record goes through one corruption."""
    part = deal(sources.codes, num_parts=len(corruptions), rng=rng)
    images = {
        name: to_unit(corrupt(sources.images[part == place], name=name, strength=strength, rng=rng))
        for place, (name, strength) in enumerate(corruptions.items())
    }
    return images, {name: sources.codes[part == place] for place, name in enumerate(corruptions)}
