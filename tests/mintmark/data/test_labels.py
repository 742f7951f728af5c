"""Labels become class names, or nothing."""

import numpy as np
import pytest

from mintmark.data.labels import Labels, text_of


def labels(**wanted) -> Labels:
    return Labels(**{"classes": None, "unlabelled": ("", "unlabelled"), "strip": ""} | wanted)


def test_white_space_and_stripped_characters_are_no_part_of_a_label():
    assert labels().read(" cat ") == "cat"
    assert labels(strip=".").read(" <=50K. ") == "<=50K"
    assert labels().read("<=50K.") == "<=50K."


@pytest.mark.parametrize(("marks", "text"), [((), None), (("",), "  "), ((-1,), "-1"), (("unlabelled",), "unlabelled")])
def test_marks_and_nulls_mean_unlabelled(marks, text):
    assert labels(unlabelled=marks).read(text) is None


def test_classes_are_sorted_as_numbers_where_all_are_whole_numbers():
    assert labels().settle(["10", "9", "-1"]) == ("-1", "9", "10")
    assert labels().settle(["10", "9", "a"]) == ("10", "9", "a")
    assert labels(classes=("b", 1)).settle(["a"]) == ("b", "1")


@pytest.mark.parametrize("classes", [(), ("a", "a"), (1, "1")])
def test_impossible_classes_are_refused(classes):
    with pytest.raises(ValueError, match="classes must be"):
        labels(classes=classes)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.int16(7), "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        (float("nan"), None),
        (float("inf"), "inf"),
        (None, None),
        (True, "true"),
        (b"cat", "cat"),
        (np.str_("cat"), "cat"),
    ],
)
def test_scalars_of_any_type_become_text(value, text):
    assert text_of(value) == text
