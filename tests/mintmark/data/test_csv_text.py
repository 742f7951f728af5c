"""CSV files become clean text, whose types are those that take every value."""

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mintmark.data import csv_text
from mintmark.data.csv_text import CsvText, Dialect, numbers
from mintmark.errors import BadInput

DIALECT = Dialect(delimiter=",", header=True, missing=("", "?"))


def text(path: Path, content: str | bytes, dialect: Dialect = DIALECT) -> CsvText:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return CsvText(path, dialect=dialect)


def rows(source: CsvText) -> list[dict]:
    return [row for chunk in source.chunks() for row in chunk.columns.to_pylist()]


def test_white_space_marks_quotes_and_blank_lines(tmp_path):
    source = text(tmp_path / "x.csv", '\ufeffa, b ,c\n1, x y ,"q, r"\n\n?,,"two\nlines"\n')
    assert source.names == ["a", "b", "c"]
    assert rows(source) == [{"a": "1", "b": "x y", "c": "q, r"}, {"a": None, "b": None, "c": "two\nlines"}]


def test_other_delimiters_no_header_and_gzip(tmp_path):
    dialect = Dialect(delimiter="\t", header=False, missing=())
    source = text(tmp_path / "x.csv.gz", gzip.compress(b"1\t2\n3\t\n"), dialect)
    assert source.names == ["0", "1"]
    assert rows(source) == [{"0": "1", "1": "2"}, {"0": "3", "1": ""}]


@given(
    table=st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=6), min_size=2, max_size=2),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=60, deadline=None)
def test_what_the_standard_library_writes_comes_back(tmp_path_factory, table):
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *table])
    source = text(tmp_path_factory.mktemp("csv") / "x.csv", stream.getvalue())
    trimmed = [[one.strip() or None for one in row] for row in table]
    found = [[one.strip() or None if one else None for one in row.values()] for row in rows(source)]
    assert found == [[None if one == "?" else one for one in row] for row in trimmed]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-20", "0"], "int64"),
        (["1", "?"], "int64"),
        (["1", "2.5"], "double"),
        (["1", "1e3", "nan"], "double"),
        (["true", "False"], "bool"),
        (["a", "1"], "string"),
        (["00501", "10001"], "string"),
        (["0x1F"], "string"),
        (["1234567890123456789012"], "string"),
        (["123456789012345678"], "int64"),
        (["?", ""], "string"),
    ],
)
def test_the_narrowest_type_that_loses_nothing(tmp_path, values, kind):
    source = text(tmp_path / "x.csv", "a,b\n" + "".join(f"{one},z\n" for one in values))
    assert source.types(["a"]) == {"a": kind}


def test_a_late_value_decides_the_type(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", 4096)
    source = text(tmp_path / "x.csv", "a\n" + "1\n" * 5000 + "x\n")
    assert len(list(source.chunks())) > 1
    assert source.types(["a"]) == {"a": "string"}
    assert source.num_rows() == 5001


def test_numbers_agree_with_pandas_and_faults_are_told(tmp_path):
    content = "a,b\n1,-2.5e3\n?,0.1\n7,oops\n1_0,3\n"
    (chunk,) = text(tmp_path / "x.csv", content).chunks()
    matrix, faults = numbers(chunk, ["a", "b"])
    expected = pd.read_csv(tmp_path / "x.csv").apply(pd.to_numeric, errors="coerce").to_numpy(copy=True)
    expected[3, 0] = np.nan
    np.testing.assert_array_equal(matrix, expected)
    assert faults == {
        2: "expected a number in column 'b', got 'oops'",
        3: "expected a number in column 'a', got '1_0'",
    }


def test_a_ragged_row_is_named_without_its_values(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", 4096)
    source = text(tmp_path / "x.csv", "a,b\n" + "1,2\n" * 3000 + "secret\n" + "1,2\n" * 5)
    with pytest.raises(BadInput, match=r"x.csv: row 3001: expected 2 values, got 1$"):
        rows(source)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"a,b\n1,\xff\n"])
def test_what_is_no_csv_is_refused_in_one_line(tmp_path, content):
    with pytest.raises(BadInput, match=r"x.csv: expected a CSV file") as caught:
        rows(text(tmp_path / "x.csv", content))
    assert "\n" not in str(caught.value)


def test_a_truncated_gzip_is_refused(tmp_path):
    content = gzip.compress(b"a,b\n" + b"1,2\n" * 9999)[:-12]
    with pytest.raises(BadInput, match=r"x.csv.gz: expected a CSV file"):
        rows(text(tmp_path / "x.csv.gz", content))


def test_a_folder_is_read_in_order_and_must_have_one_header(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.csv").write_text("a\n3\n")
    source = text(tmp_path / "a.csv", "a\n1\n2\n")
    source = CsvText(tmp_path, dialect=DIALECT)
    places = [place for chunk in source.chunks() for place in chunk.where()]
    assert places == ["a.csv row 1", "a.csv row 2", "sub/b.csv row 1"]
    (tmp_path / "c.csv").write_text("other\n3\n")
    with pytest.raises(BadInput, match=r"c.csv: expected the columns of a.csv"):
        CsvText(tmp_path, dialect=DIALECT)


def test_a_delimiter_is_one_character():
    with pytest.raises(ValueError, match="delimiter must be"):
        Dialect(delimiter="", header=True, missing=())
