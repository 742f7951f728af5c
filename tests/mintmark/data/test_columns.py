"""Columns play one part each."""

import pytest

from mintmark.data.columns import Columns
from mintmark.errors import BadInput


def columns(**wanted) -> Columns:
    nothing = {"label": None, "group": None, "id": None, "drop": (), "sensitive": (), "quasi_identifier": ()}
    return Columns(**nothing | wanted)


def test_the_payload_is_what_is_not_named():
    wanted = columns(label="y", group="g", id="i", drop=("d",), sensitive=("s",))
    assert wanted.payload(["i", "b", "y", "s", "d", "g", "a"], place="x") == ["b", "s", "a"]
    assert wanted.named == {"label": "y", "group": "g", "id": "i"}


def test_roles_name_sensitive_columns_and_quasi_identifiers():
    roles = columns(sensitive=("race",), quasi_identifier=("age", "zip")).roles()
    assert roles == {"race": "sensitive", "age": "quasi-identifier", "zip": "quasi-identifier"}


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(BadInput, match=r"x.csv: expected a column 'label', found only 'a', 'b'"):
        columns(label="label").payload(["a", "b"], place="x.csv")


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(BadInput, match="'a' twice"):
        columns().payload(["a", "a"], place="x.csv")


def test_a_table_must_have_a_column_and_no_name_of_ours():
    with pytest.raises(BadInput, match="expected no column 'id'"):
        columns().table_payload(["id", "b"], place="x.csv")
    assert columns(drop=("id",)).table_payload(["id", "b"], place="x.csv") == ["b"]
    with pytest.raises(BadInput, match="found none"):
        columns(label="a").table_payload(["a"], place="x.csv")


def test_a_column_cannot_play_two_parts():
    with pytest.raises(ValueError, match="drop must name each column once"):
        columns(label="a", drop=("a",))
