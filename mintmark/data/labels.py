"""Labels as a source has them, and what they become: a class name, or nothing for an unlabelled record.

Knows which classes are wanted or found, and in what order. Does not judge a label that is no class: the record keeps
it, and validation says so.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

_WHOLE_NUMBER = re.compile(r"-?\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """How labels are read.

    Attributes:
        classes: The classes wanted, in the order of their codes; None: those that are found, sorted.
        unlabelled: Labels that mean "no label".
        strip: Characters that are taken off both ends of a label, beside white space.
    """

    classes: tuple[int | str, ...] | None
    unlabelled: tuple[int | str, ...]
    strip: str

    def __post_init__(self) -> None:
        names = [str(name) for name in self.classes or ()]
        if self.classes is not None and (len(names) < 1 or len(set(names)) < len(names)):
            raise ValueError(f"classes must be null or a list of different names, got {list(self.classes)}")

    def read(self, label: str | None) -> str | None:
        """The label, or None for an unlabelled record."""
        if label is None:
            return None
        text = label.strip().strip(self.strip).strip() if self.strip else label.strip()
        return None if text in {str(mark) for mark in self.unlabelled} else text

    def settle(self, found: Iterable[str]) -> tuple[str, ...]:
        """The classes: those wanted, else those found, in numeric order where all are whole numbers."""
        if self.classes is not None:
            return tuple(str(name) for name in self.classes)
        names = sorted(found)
        if all(_WHOLE_NUMBER.fullmatch(name) for name in names):
            return tuple(sorted(names, key=int))
        return tuple(names)


def text_of(value: object) -> str | None:
    """A label, group or id of any scalar type as text; a whole number has no point, a null or a NaN is None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else str(value)
    return None if value is None else str(value)
