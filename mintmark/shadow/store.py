"""Shadow models as a folder: one safetensors file a network, `coins.parquet`, and `index.json`.

`coins.parquet` holds the pool's ids and one column of booleans a shadow, whether it was trained on the record;
`index.json` names the shadows and their files. With no shadows there is only the index. Knows nothing of training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool

from mintmark.errors import BadInput
from mintmark.files import read_json, write_json

TWIN = "twin"


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """What lies in the folder.

    Attributes:
        classifiers: Name and file of each shadow classifier.
        generators: Name and file of each shadow generator.
        discriminators: Name and file of each shadow discriminator; it has its generator's name and coins.
        twins: By "classifier", "generator" and "discriminator", the file of the target's twin, where there is one.
        trained_on: By shadow and id, whether it was trained on the record.
    """

    classifiers: Mapping[str, Path]
    generators: Mapping[str, Path]
    discriminators: Mapping[str, Path]
    twins: Mapping[str, Path]
    trained_on: Mapping[str, Mapping[str, bool]]

    def membership(self, names: list[str], ids: list[str]) -> Bool[np.ndarray, "shadows ids"]:
        """Whether each shadow was trained on each record.

        Raises:
            BadInput: a record was not in the pool from which the shadows drew.
        """
        try:
            rows = [[self.trained_on[name][one] for one in ids] for name in names]
        except KeyError as error:
            raise BadInput("shadow models: expected coins of every audited record, got none of some of them") from error
        return np.array(rows, dtype=bool).reshape(len(names), len(ids))


def write_coins(folder: Path, ids: list[str], trained_on: Mapping[str, Bool[np.ndarray, " pool"]]) -> None:
    """Write `coins.parquet`."""
    columns = {"id": pa.array(ids, pa.string())} | {name: pa.array(mask) for name, mask in trained_on.items()}
    pq.write_table(pa.table(columns), folder / "coins.parquet")


def write_index(
    folder: Path, *, classifiers: list[str], gans: list[str], twins: list[str], facts: Mapping[str, Any]
) -> None:
    """Write `index.json`: the shadows' names, from which their files follow, and how they were trained.

    Args:
        folder: Where.
        classifiers: Names of the shadow classifiers.
        gans: Names of the shadow GANs.
        twins: Of "classifier" and "gan", what was trained with canaries; see `mintmark.shadow.canaries`.
        facts: How.
    """
    index = {"classifiers": classifiers, "gans": gans, "twins": twins, "facts": dict(facts)}
    write_json(folder / "index.json", index)


def classifier_path(folder: Path, name: str) -> Path:
    """Where a shadow classifier lies."""
    return folder / f"{name}.safetensors"


def gan_paths(folder: Path, name: str) -> tuple[Path, Path]:
    """Where a shadow GAN's generator and discriminator lie."""
    return folder / f"{name}-generator.safetensors", folder / f"{name}-discriminator.safetensors"


def read_store(folder: Path) -> Store:
    """What the folder holds.

    Raises:
        BadInput: the index or the coins are missing or broken.
    """
    path = folder / "index.json"
    try:
        index = read_json(path)
        names, gans, twins = list(index["classifiers"]), list(index["gans"]), list(index["twins"])
        trained_on: dict[str, dict[str, bool]] = {}
        if names or gans:
            path = folder / "coins.parquet"
            columns = pq.read_table(path).to_pydict()
            trained_on = {name: dict(zip(columns["id"], columns[name], strict=True)) for name in names + gans}
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise BadInput(f"{path}: expected what the stage shadow writes, got {type(error).__name__}: {error}") from error
    twin_paths = {"classifier": classifier_path(folder, TWIN)} if "classifier" in twins else {}
    if "gan" in twins:
        twin_paths |= dict(zip(("generator", "discriminator"), gan_paths(folder, TWIN), strict=True))
    return Store(
        classifiers={name: classifier_path(folder, name) for name in names},
        generators={name: gan_paths(folder, name)[0] for name in gans},
        discriminators={name: gan_paths(folder, name)[1] for name in gans},
        twins=twin_paths,
        trained_on=trained_on,
    )
