"""Fresh coins: which half of the pool each shadow model is trained on.

Shadows come in pairs. One of a pair takes a random half of each class, the other the rest, so that every record has
exactly as many models that know it as models that do not. Knows nothing of models.
"""

import numpy as np
from jaxtyping import Bool, Int64


def toss(codes: Int64[np.ndarray, " pool"], *, num: int, seed: int) -> Bool[np.ndarray, "num pool"]:
    """Membership of every record in every shadow's training set.

    Args:
        codes: The records' classes; -1, unlabelled, counts as one.
        num: How many shadows; where it is odd, the last one's counterpart is left out.
        seed: Of the coins, one stream a pair, so that more shadows leave the first ones as they were.
    """
    trained_on = np.zeros((num, len(codes)), bool)
    for place in range(0, num, 2):
        rng = np.random.default_rng([seed, place])
        for code in np.unique(codes).tolist():
            rows = rng.permutation(np.flatnonzero(codes == code))
            half = (len(rows) + int(rng.integers(2))) // 2
            trained_on[place, rows[:half]] = True
        if place + 1 < num:
            trained_on[place + 1] = ~trained_on[place]
    return trained_on
