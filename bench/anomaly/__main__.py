"""Which detector finds what is foreign, and which way finds wrong labels? Every case, in one JSON line.

python -m bench.anomaly --data folder              all cases; the folder holds mnist/ and fashion-mnist/ as idx files
python -m bench.anomaly --data folder --quick      tiny: proves that it runs
python -m bench.anomaly --data folder --case speed  one case: one_class, generators, wrong_labels, speed, alarms, peers
                                                    or mosaics
"""

import typer

from bench.anomaly import alarms, generators, mosaics, one_class, peers, speed, wrong_labels
from bench.cases import command

CASES = {
    "one_class": one_class.measure,
    "generators": generators.measure,
    "wrong_labels": wrong_labels.measure,
    "speed": speed.measure,
    "alarms": alarms.measure,
    "peers": peers.measure,
    "mosaics": mosaics.measure,
}

if __name__ == "__main__":
    typer.run(command("anomaly", without_data={}, with_data=CASES))
