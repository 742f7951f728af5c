"""How well clusters agree with classes that they never saw, in one JSON line.

python -m bench.cluster --data folder           all cases; the folder holds mnist/ as idx files
python -m bench.cluster --data folder --quick   with tiny recipes: proves that it runs
"""

import typer

from bench.cases import command
from bench.cluster import mnist, published

if __name__ == "__main__":
    typer.run(command("cluster", without_data={}, with_data={"mnist": mnist.measure, "published": published.measure}))
