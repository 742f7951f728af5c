"""Every attack's score of every record, as a table that never leaves the house."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from mintmark.privacy.parties import Parties
from mintmark.privacy.rates import Scores


def private_scores(attacked: Mapping[str, Parties], targets: Mapping[str, Mapping[str, Scores]]) -> pa.Table:
    """The table: id, member, threat, attack, score.

    Args:
        attacked: Who was under attack, by threat model.
        targets: The scores, by threat model and attack.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("id", "member", "threat", "attack", "score")}
    for threat, attacks in targets.items():
        parties = attacked[threat]
        for attack, scores in attacks.items():
            for images, values, member in (
                (parties.members, scores.members, True),
                (parties.non_members, scores.non_members, False),
            ):
                columns["id"] += list(images.ids)
                columns["member"] += [member] * len(images)
                columns["threat"] += [threat] * len(images)
                columns["attack"] += [attack] * len(images)
                columns["score"] += values.tolist()
    return pa.table(columns)
