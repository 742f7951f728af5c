"""Draws that treat every class alike. Knows nothing of what the records are drawn for."""

import numpy as np
from jaxtyping import Int64


def deal(codes: Int64[np.ndarray, " n"], *, num_parts: int, rng: np.random.Generator) -> Int64[np.ndarray, " n"]:
    """A part for each record, at random, so that all parts and each class within them differ by at most one record."""
    part = np.empty(len(codes), np.int64)
    part[by_class(codes, rng=rng)] = np.arange(len(codes)) % num_parts
    return part


def by_class(codes: Int64[np.ndarray, " n"], *, rng: np.random.Generator) -> Int64[np.ndarray, " n"]:
    """Rows in order of class, at random within each."""
    shuffled = rng.permutation(len(codes))
    return shuffled[np.argsort(codes[shuffled], kind="stable")]
