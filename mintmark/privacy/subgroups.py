"""Who is most exposed: the worst class, the worst cluster, and the outliers, whom an average over all records hides.

Groups are formed by one rule for members and non-members. Classes and outliers do not depend on who is a member at all.
Clusters do, a little: their prototypes are means of members. A network that had learnt the members, too, could place
them otherwise than records that it never saw, and then a group's members would differ from its non-members though no
target leaks anything. So a record belongs to the prototype that is nearest as it is, without a network: what a member
has to do with that is its share of one mean. Knows nothing of what scores come from.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from mintmark.evidence import Measurement
from mintmark.intervals import Interval
from mintmark.neighbours import nearest
from mintmark.privacy.aucs import auc_delong
from mintmark.privacy.parties import Parties
from mintmark.privacy.rates import Scores
from mintmark.privacy.rounding import DIGITS, LEVEL, rounded_up
from mintmark.privacy.spaces import Spaces

SMALLEST_GROUP = 10  # members, and non-members; a smaller group's numbers would be its records'
OUTLIERS = 0.1  # share of the records, those farthest from the attacker's reference


class Group(NamedTuple):
    """Some of the records under attack."""

    members: Bool[np.ndarray, " members"]
    non_members: Bool[np.ndarray, " non_members"]

    def of(self, scores: Scores) -> Scores:
        """The group's scores."""
        return Scores(scores.members[self.members], scores.non_members[self.non_members])

    def is_large(self) -> bool:
        """Whether it has enough records of both sorts to be told of."""
        return min(int(self.members.sum()), int(self.non_members.sum())) >= SMALLEST_GROUP


class Groups(NamedTuple):
    """The groups of one threat model's records, by name; none where too few records make any."""

    classes: dict[str, Group]
    clusters: dict[str, Group]
    outliers: dict[str, Group]


class Worst(NamedTuple):
    """Where an attack did best.

    Attributes:
        group: Its name.
        attack: The attack.
        auc: Its AUC there, max(AUC, 1 - AUC).
        bound: An upper bound of the same over all groups and attacks, simultaneous over these and both sides.
        n: Records of the smallest group, of the rarer sort.
    """

    group: str
    attack: str
    auc: float
    bound: float
    n: int


def groups_of(parties: Parties, spaces: Spaces, *, cluster_of: Mapping[str, int]) -> Groups:
    """Each class, each cluster, and the tenth of all records that lie farthest from the nearest reference record.

    Args:
        parties: Who is under attack.
        spaces: With the reference records.
        cluster_of: By the id of every record under attack, the cluster whose prototype is nearest to it.
    """
    classes = {
        name: Group(parties.members.codes == code, parties.non_members.codes == code)
        for code, name in enumerate(parties.members.classes)
    }
    of_members, of_others = (
        np.array([cluster_of[one] for one in part.ids], np.int64) for part in (parties.members, parties.non_members)
    )
    clusters = {
        f"cluster {cluster}": Group(of_members == cluster, of_others == cluster)
        for cluster in np.union1d(of_members, of_others).tolist()
    }
    distances = nearest(parties.pixels(), spaces.reference).distances[:, 0].numpy()
    far = distances > np.quantile(distances, 1.0 - OUTLIERS)
    outliers = {"outliers": Group(far[: len(parties.members)], far[len(parties.members) :])}
    return Groups(
        *({name: one for name, one in some.items() if one.is_large()} for some in (classes, clusters, outliers))
    )


def worst_of(attacks: Mapping[str, Scores], groups: Mapping[str, Group]) -> Worst | None:
    """The group and attack with the largest AUC either way, and what no group and attack exceeds; None without groups."""
    shared = 1.0 - (1.0 - LEVEL) / max(1, len(attacks) * len(groups))
    found: dict[tuple[str, str], Interval] = {}
    for name, group in groups.items():
        for attack, scores in attacks.items():
            found[name, attack] = auc_delong(*group.of(scores), level=shared)
    if not found:
        return None
    where = max(found, key=lambda key: max(found[key].value, 1.0 - found[key].value))
    return Worst(
        group=where[0],
        attack=where[1],
        auc=max(found[where].value, 1.0 - found[where].value),
        bound=max(max(one.high, 1.0 - one.low) for one in found.values()),
        n=min(min(int(group.members.sum()), int(group.non_members.sum())) for group in groups.values()),
    )


def worst_measurement(threat: str, name: str, worst: Worst | None, *, note: str, control: str) -> Measurement:
    """`THREAT_NAME_auc_bound`; its value is None where no group had enough records."""
    return Measurement(
        name=f"{threat}_{name}_auc_bound",
        value=None if worst is None else rounded_up(worst.bound),
        unit="auc",
        n=0 if worst is None else worst.n,
        level=LEVEL,
        control=control,
        note=note,
    )


def worst_fact(worst: Worst | None) -> dict[str, str | float] | None:
    """Where it was, as plain values, rounded."""
    if worst is None:
        return None
    return {"group": worst.group, "attack": worst.attack, "auc": round(worst.auc, DIGITS)}
