"""Heat maps of pictures, from a folder of good ones: where each differs, and how unusual it is.

python -m tasks.heatmaps good/ mixed/ out/        or: make heatmaps GOOD=good MIXED=mixed OUT=out

No stage: it reads and writes where it is told to. Half of the good pictures are learnt from; the other half are held
out, and say how high good pictures score. Writes `scores.csv`, the most unusual first, and a picture for each.
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from PIL import Image

from mintmark.anomaly.heatmaps import CHOICES, HeatMapper, choose, fit
from mintmark.anomaly.overlays import Scale, overlay, scale_of
from mintmark.anomaly.patches import Patching
from mintmark.anomaly.threshold import p_values
from mintmark.data.pictures import Picture, in_colour, picture_names, read_picture, with_channels
from mintmark.errors import BadInput
from mintmark.files import whole_folder
from mintmark.progress import track

LEAST_GOOD = 8


class Kind(StrEnum):
    """What looks at patches."""

    auto = "auto"
    pca = "pca"
    nearest = "nearest"
    memory = "memory"


def heatmaps(
    good: Path, mixed: Path, out: Path, *, patching: Patching, kind: str, rate: float, seed: int
) -> pd.DataFrame:
    """Fit, calibrate, and write the folder `out` at once, when all is done.

    Args:
        good: A folder of pictures without fault.
        mixed: A folder of pictures to judge.
        out: A folder that does not exist yet, or is empty.
        patching: How pictures are cut.
        kind: Of the detector; "auto" chooses on good pictures alone.
        rate: The share of good pictures that may be called unusual.
        seed: Which good pictures are held out, and of the detector.

    Returns:
        What `scores.csv` holds: picture, score, p_value, unusual.

    Raises:
        BadInput: names the folder or the picture at fault; nothing is written then.
    """
    _require_new(out, apart_from=(good, mixed))
    if not 0 < rate < 1:
        raise BadInput(f"rate: expected above 0 and below 1, got {rate:g}")
    pictures = _good(good, patching)
    names = picture_names(mixed)
    for name in track(names, "checking"):  # before anything is learnt: a late surprise costs the wait
        _mixed(mixed / name, patching, channels=pictures[0].shape[2])
    order = np.random.default_rng(seed).permutation(len(pictures))
    fitted, held_out = ([pictures[row] for row in rows] for rows in np.array_split(order, 2))
    if kind == Kind.auto:
        kind, merits = choose(fitted, patching=patching, kinds=CHOICES, seed=seed)
        print(f"detector {kind}, by spots spoilt on purpose:", {one: round(merit, 3) for one, merit in merits.items()})
    mapper = fit(fitted, kind=kind, patching=patching, seed=seed)
    heats = [mapper.heat(picture) for picture in track(held_out, "calibrating")]
    calibration = torch.tensor([heat.score for heat in heats], dtype=torch.float64)
    with whole_folder(out) as folder:
        scores = _draw(mapper, mixed, names, folder, scale=scale_of([heat.map for heat in heats]))
        table = _table(names, p_values(scores, calibration=calibration), scores, rate)
        table.to_csv(folder / "scores.csv", index=False, float_format="%.6g", lineterminator="\n")
    _tell(table, len(calibration), rate, out)
    return table


def _require_new(out: Path, *, apart_from: tuple[Path, ...]) -> None:
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise BadInput(f"{out}: expected a new or empty folder for the heat maps, found something in its place")
    for folder in apart_from:
        if out.resolve().is_relative_to(folder.resolve()):
            raise BadInput(f"{out}: expected a folder outside {folder}, whose pictures are read")


def _good(folder: Path, patching: Patching) -> list[Picture]:
    names = picture_names(folder)
    if len(names) < LEAST_GOOD:
        raise BadInput(f"{folder}: expected at least {LEAST_GOOD} good pictures, found {len(names)}")
    pictures = [read_picture(folder / name) for name in track(names, "reading")]
    for name, picture in zip(names, pictures, strict=True):
        _require_size(folder / name, picture, patching)
    return in_colour(pictures)


def _mixed(path: Path, patching: Patching, *, channels: int) -> Picture:
    picture = read_picture(path)
    _require_size(path, picture, patching)
    try:
        return with_channels(picture, channels)
    except ValueError as error:
        raise BadInput(f"{path}: {error}, while all good pictures are gray") from error


def _require_size(path: Path, picture: Picture, patching: Patching) -> None:
    height, width = picture.shape[:2]
    if min(height, width) < patching.side:
        raise BadInput(
            f"{path}: expected at least {patching.side} x {patching.side} pixels, a patch, got {height} x {width}; "
            "state a smaller --patch"
        )


def _draw(mapper: HeatMapper, mixed: Path, names: list[str], folder: Path, *, scale: Scale) -> torch.Tensor:
    """Write a picture of each, and give its score."""
    channels, scores = mapper.channels, []
    for name in track(names, "heat-maps"):
        picture = _mixed(mixed / name, mapper.patching, channels=channels)
        heat = mapper.heat(picture)
        scores.append(heat.score)
        path = folder / f"{name}.heat.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(overlay(picture, heat.map, scale=scale)).save(path, format="PNG")
    return torch.tensor(scores, dtype=torch.float64)


def _table(names: list[str], p_values: torch.Tensor, scores: torch.Tensor, rate: float) -> pd.DataFrame:
    table = pd.DataFrame({"picture": names, "score": scores.numpy(), "p_value": p_values.numpy()})
    table["unusual"] = table["p_value"] <= rate
    return table.sort_values(["score", "picture"], ascending=[False, True], ignore_index=True)


def _tell(table: pd.DataFrame, num_held_out: int, rate: float, out: Path) -> None:
    print(f"{int(table['unusual'].sum())} of {len(table)} pictures are unusual at a rate of {rate:g}: {out}/scores.csv")
    least = 1 / (num_held_out + 1)
    if least > rate:
        print(
            f"none can be: of {num_held_out} held-out good pictures no p-value below {least:.3g} is known. "
            f"A rate of {rate:g} takes {2 * (int(np.ceil(1 / rate - 1e-9)) - 1)} good pictures; "
            "the order and the heat maps serve all the same"
        )


def main(
    *,
    good: Annotated[Path, typer.Argument(help="A folder of pictures without fault.")],
    mixed: Annotated[Path, typer.Argument(help="A folder of pictures to judge.")],
    out: Annotated[Path, typer.Argument(help="A new folder for scores.csv and the heat maps.")],
    patch: Annotated[int, typer.Option(help="Side of a patch in pixels: about the size of what repeats.")] = 32,
    stride: Annotated[int | None, typer.Option(help="From patch to patch; half a patch if not given.")] = None,
    detector: Annotated[Kind, typer.Option(help="What looks at patches; auto chooses on good pictures.")] = Kind.auto,
    rate: Annotated[float, typer.Option(help="Share of good pictures that may be called unusual.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 0,
) -> None:
    """Draw heat maps of pictures, by what good pictures look like."""
    try:
        patching = Patching(side=patch, stride=max(1, patch // 2) if stride is None else stride)
        heatmaps(good, mixed, out, patching=patching, kind=detector.value, rate=rate, seed=seed)
    except (BadInput, OSError) as error:
        sys.exit(f"heatmaps: {error}")


if __name__ == "__main__":
    typer.run(main)
