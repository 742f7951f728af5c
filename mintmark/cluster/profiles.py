"""What is typical of each cluster of a table, column by column, in the columns' own units, beside all records.

Of a number its mean, of a category the one that most of the cluster's records have. Knows nothing of how clusters came
about.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int64
from matplotlib.figure import Figure

from mintmark.cluster.columns import Column
from mintmark.cluster.pictures import SHOWN
from mintmark.files import whole_file

FULL = 1.5  # difference that has the fullest colour
LONGEST = 18  # letters of a category that a picture shows


def profiles(columns: Sequence[Column], clusters: Int64[np.ndarray, " n"], *, num_clusters: int) -> pd.DataFrame:
    """One row a cluster and column.

    Args:
        columns: With the values of every record.
        clusters: Of every record.
        num_clusters: One without records has no row.

    Returns:
        `cluster`, `column`, `typical` (text: the mean over the known values, or the most frequent category), `share` (of
        the cluster's records with that category; null for numbers), `whole` (the mean, or that share, over all records),
        `difference` (from the whole: in standard deviations over all records, or of the two shares).
    """
    rows = []
    for cluster in range(num_clusters):
        mine = clusters == cluster
        if mine.any():
            rows += [{"cluster": cluster, "column": one.name, **_typical(one, mine)} for one in columns]
    return pd.DataFrame(rows)


def draw_profiles(path: Path, table: pd.DataFrame, *, names: Sequence[str]) -> None:
    """Write the table as a PNG: a line a cluster, a field a column, red above the whole and blue below.

    Args:
        path: The file.
        table: Of `profiles`; at most `SHOWN` clusters and columns are drawn, of the columns those that differ most.
        names: What to call each cluster.
    """
    differences = table.pivot_table(index="cluster", columns="column", values="difference")
    differing = differences.abs().max().sort_values(ascending=False, kind="stable").index[:SHOWN]
    columns = [one for one in table["column"].unique() if one in differing]
    differences = differences.loc[differences.index[:SHOWN], columns]
    texts = table.set_index(["cluster", "column"])
    height, width = differences.shape
    figure = Figure(figsize=(1.35 * width + 2.2, 0.5 * height + 1.2), dpi=110)
    axes = figure.add_subplot()
    axes.imshow(differences.to_numpy(), cmap="RdBu_r", vmin=-FULL, vmax=FULL, aspect="auto", alpha=0.6)
    for row, cluster in enumerate(differences.index):
        for place, column in enumerate(columns):
            axes.text(place, row, _words(texts.loc[(cluster, column)]), ha="center", va="center", fontsize=7)
    axes.set_yticks(range(height), [names[int(cluster)] for cluster in differences.index], fontsize=8)
    axes.set_xticks(range(width), columns, rotation=30, ha="right", fontsize=8)
    axes.tick_params(length=0)
    axes.set_title("What is typical of each cluster; red: more than over all records, blue: less", fontsize=9)
    for spine in axes.spines.values():
        spine.set_visible(False)
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", bbox_inches="tight", metadata={"Software": None})


def _typical(column: Column, mine: np.ndarray) -> dict[str, str | float | None]:
    if column.categories is not None:
        counts, whole = (
            np.bincount(values.astype(np.int64), minlength=len(column.categories))
            for values in (column.numbers[mine], column.numbers)
        )
        most = int(counts.argmax())
        share, of_all = float(counts[most] / counts.sum()), float(whole[most] / whole.sum())
        return {"typical": column.categories[most], "share": share, "whole": of_all, "difference": share - of_all}
    known = column.numbers[mine & ~np.isnan(column.numbers)]
    of_all, deviation = float(np.nanmean(column.numbers)), float(np.nanstd(column.numbers))
    if not len(known):
        return {"typical": "", "share": None, "whole": of_all, "difference": 0.0}
    middle = float(known.mean())
    difference = (middle - of_all) / deviation if deviation else 0.0
    return {"typical": f"{middle:.6g}", "share": None, "whole": of_all, "difference": difference}


def _words(row: pd.Series) -> str:
    typical = str(row["typical"])
    if pd.notna(row["share"]):
        short = typical if len(typical) <= LONGEST else f"{typical[: LONGEST - 1]}…"
        return f"{short}\n{row['share']:.0%}"
    return f"{float(typical):.3g}" if typical else ""
