"""Which columns of a source play which part: label, group, id, payload.

Knows names and roles only. The same rules serve Parquet and CSV columns and the arrays of an npz file.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mintmark.data.records import RESERVED_COLUMNS, Role
from mintmark.errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The columns by their names in the source; all that are not named here are payload.

    Attributes:
        label: The label; None: every record is unlabelled.
        group: Records of one group stay together in every split; None: there are no groups.
        id: The records' own ids, unlike one another; None: ids are made from the content.
        drop: Columns that are left out.
        sensitive: Payload columns of a table that must not be inferred from what is released.
        quasi_identifier: Payload columns of a table that an attacker may know.
    """

    label: str | None
    group: str | None
    id: str | None
    drop: tuple[str, ...]
    sensitive: tuple[str, ...]
    quasi_identifier: tuple[str, ...]

    def __post_init__(self) -> None:
        parts = [name for name in (self.label, self.group, self.id) if name is not None]
        parts += [*self.drop, *self.sensitive, *self.quasi_identifier]
        twice = sorted(name for name, count in Counter(parts).items() if count > 1)
        if twice:
            raise ValueError(f"drop must name each column once, for one part, got {twice} twice")

    @property
    def named(self) -> dict[str, str]:
        """The columns that become a record's `label`, `group` and `id`, by those names."""
        parts = {"label": self.label, "group": self.group, "id": self.id}
        return {part: name for part, name in parts.items() if name is not None}

    def payload(self, names: Sequence[str], *, place: str) -> list[str]:
        """The payload columns among all `names` of the source at `place`, in their order.

        Raises:
            BadInput: a column that is asked for is not there, or two have one name.
        """
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise BadInput(f"{place}: expected columns of different names, got {_few(twice)} twice")
        wanted = [*self.named.values(), *self.drop, *self.sensitive, *self.quasi_identifier]
        absent = [name for name in wanted if name not in names]
        if absent:
            raise BadInput(f"{place}: expected a column {absent[0]!r}, found only {_few(names)}")
        taken = {*self.named.values(), *self.drop}
        return [name for name in names if name not in taken]

    def table_payload(self, names: Sequence[str], *, place: str) -> list[str]:
        """The payload columns of a table.

        Raises:
            BadInput: as `payload`; or no column is left, or one has a name that the records' own columns have.
        """
        payload = self.payload(names, place=place)
        reserved = [name for name in payload if name in RESERVED_COLUMNS]
        if reserved:
            raise BadInput(
                f"{place}: expected no column {reserved[0]!r} beside the named ones, got one; name its part or drop it"
            )
        if not payload:
            raise BadInput(f"{place}: expected a column beside label, group and id, found none")
        return payload

    def roles(self) -> Mapping[str, Role]:
        """The roles of a table's columns that are more than features."""
        roles: dict[str, Role] = {}
        for name in self.sensitive:
            roles[name] = "sensitive"
        for name in self.quasi_identifier:
            roles[name] = "quasi-identifier"
        return roles


def _few(names: Sequence[str], *, most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
