"""Does the audit find what leaks, and nothing else? Every case, in one JSON line.

python -m bench.privacy --data folder           all cases; the folder holds fashion-mnist/ (idx) and adult/
python -m bench.privacy --case coverage --quick one case, with tiny numbers: proves that it runs
"""

import typer

from bench.cases import command
from bench.privacy import (
    classifier,
    coverage,
    filter_strength,
    generators,
    known_leaks,
    mutations,
    neighbours,
    prdc,
    side_by_side,
    stacks,
)

WITHOUT_DATA = {
    "coverage": coverage.measure,
    "filter": filter_strength.measure,
    "mutations": mutations.measure,
    "prdc": prdc.measure,
}
WITH_DATA = {
    "known": known_leaks.measure,
    "classifier": classifier.measure,
    "generators": generators.measure,
    "neighbours": neighbours.measure,
    "peers": side_by_side.measure,
    "stacks": stacks.measure,
}


if __name__ == "__main__":
    typer.run(command("privacy", without_data=WITHOUT_DATA, with_data=WITH_DATA))
