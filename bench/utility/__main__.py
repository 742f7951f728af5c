"""Is synthetic data of use, and where? Every case of the table, in one JSON line.

python -m bench.utility --data folder           all cases; the folder holds mnist/ and fashion-mnist/ as idx files
python -m bench.utility --case known --quick    one case, with tiny recipes: proves that it runs
"""

import typer

from bench.cases import command
from bench.utility import digits, fashion, known_answers, lesions, mnist, standalone, step

WITHOUT_DATA = {
    "known": known_answers.measure,
    "digits": digits.measure,
    "standalone": standalone.measure_digits,
    "step": step.measure,
}
WITH_DATA = {
    "mnist": mnist.measure,
    "fashion": fashion.measure,
    "lesions": lesions.measure,
    "standalone-mnist": standalone.measure_mnist,
}

if __name__ == "__main__":
    typer.run(command("utility", without_data=WITHOUT_DATA, with_data=WITH_DATA))
