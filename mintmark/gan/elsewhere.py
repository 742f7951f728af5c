"""Weights files that hold no weights: they say that the records were made elsewhere, by a generator we do not have."""

from dataclasses import dataclass
from pathlib import Path

from mintmark import weights

MODEL = "made elsewhere"


@dataclass(frozen=True, kw_only=True, slots=True)
class Elsewhere:
    """What is known of records that were made elsewhere.

    Attributes:
        source: The path of their Parquet file or folder.
        classes: Class names that they may have, in the order of their codes.
        shape: (height, width, channels) of their images.
    """

    source: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]


def save_elsewhere(path: Path, made: Elsewhere) -> None:
    """Write the file that stands where a network's weights would."""
    facts = {"source": made.source, "classes": list(made.classes), "shape": list(made.shape)}
    weights.save(path, {}, {"model": MODEL, **facts})


def read_elsewhere(path: Path) -> Elsewhere | None:
    """What `save_elsewhere` wrote; None where the file holds a network.

    Raises:
        BadInput: the file is missing or is no weights file.
    """
    metadata = weights.load(path)[1]
    if metadata.get("model") != MODEL:
        return None
    height, width, channels = metadata["shape"]
    return Elsewhere(source=metadata["source"], classes=tuple(metadata["classes"]), shape=(height, width, channels))
