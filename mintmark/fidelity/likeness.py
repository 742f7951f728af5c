"""How like real records a release's are, in every space of features at hand, by the same samples in each."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8

from mintmark.evidence import Measurement
from mintmark.fidelity.comparison import Party, Settings, compare_parties
from mintmark.fidelity.draws import draw
from mintmark.fidelity.features import Embed
from mintmark.fidelity.measurements import facts, measure, unmeasured
from mintmark.fidelity.spaces import Space


class Placed(NamedTuple):
    """Images, 0 to 255, and the cell that each lies in."""

    images: UInt8[np.ndarray, "n height width channels"]
    codes: Int64[np.ndarray, " n"]


def compare_spaces(
    spaces: Iterable[Space],
    *,
    train: UInt8[np.ndarray, "train height width channels"],
    fresh: Placed,
    released: Placed,
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[list[Measurement], dict[str, Any]]:
    """Every measurement, and facts by space; where a space or records are missing, rows without values say so.

    Args:
        spaces: Of features.
        train: All training records: with fewer, a copy could not be told.
        fresh: Real records that neither the generator nor a features' network has seen.
        released: The release.
        settings: How they are compared.
        rng: Cuts the samples.
    """
    draws = draw(len(fresh.codes), len(released.codes), draws=settings.draws, max_size=settings.max_records, rng=rng)
    missing = ""
    if draws.size < settings.fewest:
        least = settings.draws * settings.fewest
        missing = f"{2 * least} fresh real and {least} released records at least"
    measurements, of_spaces = [], {}
    for space in spaces:
        if space.embed is None or missing:
            measurements += unmeasured(space=space.name, reason=missing or space.missing)
            continue
        real, other_real = (_party(space.embed, fresh, rows) for rows in (draws.real, draws.other_real))
        judged = _party(space.embed, released, draws.released)
        learnt = space.embed(train)
        found = compare_parties(real, other_real, judged, learnt, neighbours=settings.neighbours)
        measurements += measure(found, space=space.name)
        of_spaces[space.name] = facts(found, num_features=learnt.shape[1], num_train=len(learnt)) | space.facts
    return measurements, of_spaces


def _party(embed: Embed, placed: Placed, rows: Int64[np.ndarray, "draws n"]) -> Party:
    return Party(embed(placed.images[rows.ravel()]).unflatten(0, rows.shape), placed.codes[rows])
