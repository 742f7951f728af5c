"""The detection floor: the smallest leak that this audit would have caught.

A share of the members is replayed; their scores become those of copies, as seen in the positive control; everybody
else scores as where nothing leaks. The same tests as in the controls are run at the same level, many times over. The
floor is the smallest share of a grid that they catch with the wanted power.

All tests work on ranks, so a copy is described by how many non-members it passes, and scores without a leak are uniform
whatever their law. Knows nothing of attacks beyond their scores.
"""

import numpy as np
from jaxtyping import Int64

from mintmark.privacy.detection import TESTS_PER_ATTACK, p_values
from mintmark.privacy.rates import Scores


def passed_non_members(copies: Scores) -> Int64[np.ndarray, " members"]:
    """How many non-members each copy passes, 0 to n; a tie counts as not passed."""
    return np.searchsorted(np.sort(copies.non_members), copies.members, side="left").astype(np.int64)


def power(
    share: float,
    *,
    passed: Int64[np.ndarray, " copies"],
    num_members: int,
    num_non_members: int,
    num_attacks: int,
    fpr: float,
    level: float,
    simulations: int,
    rng: np.random.Generator,
) -> float:
    """How often one attack, among `num_attacks`, detects that so many of the members were replayed.

    Args:
        share: Of members replayed, 0 to 1.
        passed: How many non-members a copy passes, one entry a copy that was seen.
        num_members: As audited.
        num_non_members: As audited.
        num_attacks: Attacks of the threat model, among whose tests the level is shared.
        fpr: Of the test beyond the rate.
        level: Of the detection.
        simulations: How many audits to simulate.
        rng: Of the simulations.
    """
    others = np.sort(rng.random((simulations, num_non_members)), axis=1)
    members = rng.random((simulations, num_members))
    num_leaked = round(share * num_members)
    places = rng.choice(passed, (simulations, num_leaked))
    edges = np.concatenate([np.full((simulations, 1), -1.0), others, np.full((simulations, 1), 3.0)], axis=1)
    below = np.take_along_axis(edges, places, axis=1)
    above = np.take_along_axis(edges, places + 1, axis=1)
    members[:, :num_leaked] = (below + above) / 2
    best = p_values(Scores(members, others), fpr=fpr).min(axis=0)
    return float((best * TESTS_PER_ATTACK * num_attacks < level).mean())


def detection_floor(
    copies: dict[str, Scores],
    *,
    num_members: int,
    grid: tuple[float, ...],
    wanted_power: float,
    num_attacks: int,
    fpr: float,
    level: float,
    simulations: int,
    seed: int,
) -> tuple[float, str] | None:
    """The smallest share of `grid` caught with the wanted power, and the attack that catches it.

    The best single attack stands for all of them together, which is the cautious side. Power grows with the share, so
    the grid is searched by halves.

    Args:
        copies: By attack: the scores of copies, and of the non-members beside them, from the positive control.
        num_members: As audited.
        grid: Shares, rising.
        wanted_power: For example 0.9.
        num_attacks: See `power`.
        fpr: See `power`.
        level: See `power`.
        simulations: See `power`.
        seed: Of the simulations.

    Returns:
        None where not even the largest share is caught.
    """
    best: tuple[int, str] | None = None
    for name, scores in copies.items():
        passed = passed_non_members(scores)

        def caught(
            place: int, passed: Int64[np.ndarray, " copies"] = passed, others: int = len(scores.non_members)
        ) -> bool:
            reached = power(
                grid[place],
                passed=passed,
                num_members=num_members,
                num_non_members=others,
                num_attacks=num_attacks,
                fpr=fpr,
                level=level,
                simulations=simulations,
                rng=np.random.default_rng([seed, 3, place]),
            )
            return reached >= wanted_power

        # only what is below the best so far is of interest
        first, last = 0, len(grid) - 1 if best is None else best[0] - 1
        if last < 0 or not caught(last):
            continue
        while first < last:
            middle = (first + last) // 2
            first, last = (first, middle) if caught(middle) else (middle + 1, last)
        best = first, name
    return None if best is None else (grid[best[0]], best[1])


def power_of(
    shares: tuple[float, ...],
    copies: dict[str, Scores],
    *,
    num_members: int,
    num_attacks: int,
    fpr: float,
    level: float,
    simulations: int,
    seed: int,
) -> dict[float, float]:
    """How often leaks of these shares would be caught by the best single attack; see `detection_floor`."""
    return {
        share: max(
            power(
                share,
                passed=passed_non_members(scores),
                num_members=num_members,
                num_non_members=len(scores.non_members),
                num_attacks=num_attacks,
                fpr=fpr,
                level=level,
                simulations=simulations,
                rng=np.random.default_rng([seed, 4]),
            )
            for scores in copies.values()
        )
        for share in shares
    }
