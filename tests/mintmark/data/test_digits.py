"""The built-in digits are scikit-learn's."""

import hashlib

import numpy as np

from mintmark.data.digits import NUM_DIGITS, SOURCE, open_digits
from mintmark.data.pixels import Canvas

CANVAS = Canvas(size=None, channels=None, fit="pad", max_pixels=1000)


def test_the_digits_are_those_of_scikit_learn_scaled_to_bytes(digits):
    (batch,) = open_digits(canvas=CANVAS, labelled=True).batches()
    np.testing.assert_array_equal(batch.payload, digits.images)
    assert [int(label or -1) for label in batch.labels] == digits.codes.tolist()
    assert len(batch.where) == NUM_DIGITS


def test_the_file_that_is_hashed_holds_the_digits():
    (file,) = open_digits(canvas=CANVAS, labelled=True).files()
    values = np.loadtxt(file, delimiter=",")
    assert values.shape == (NUM_DIGITS, 65)
    assert len(hashlib.sha256(file.read_bytes()).hexdigest()) == 64


def test_the_source_that_is_watched_is_the_reader_itself():
    from pathlib import Path

    assert (Path(__file__).parents[3] / SOURCE).is_file()
