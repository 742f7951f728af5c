"""How well clusters agree with classes that they never saw, in one JSON line.

python -m bench.cluster --data folder           all cases; the folder holds mnist/ and fashion-mnist/ as idx files
python -m bench.cluster --data folder --quick   with tiny recipes: proves that it runs
"""

import typer

from bench.cases import command
from bench.cluster import epoch, features, garments, growth, kinds, mnist, published, seeds, self_labels, sets

if __name__ == "__main__":
    with_data = {
        "mnist": mnist.measure,
        "seeds": seeds.measure,
        "ablations": seeds.ablate,
        "self_labels": self_labels.measure,
        "features": features.measure,
        "garments": garments.measure,
        "published": published.measure,
        "tables": kinds.tables,
        "whole": sets.whole,
        "colour": sets.colour,
        "affine": sets.affine,
    }
    without_data = {"growth": growth.measure, "epoch": epoch.measure, "series": kinds.series}
    typer.run(command("cluster", without_data=without_data, with_data=with_data))
