"""Chunks of columns, and the types that a table record can hold."""

from pathlib import Path

import pyarrow as pa
import pytest

from mintmark.data.chunks import Chunk, table_type
from mintmark.errors import BadInput


def test_a_chunk_names_its_rows_and_reads_columns_as_text():
    columns = pa.record_batch({"y": [1.0, None, 2.5]})
    chunk = Chunk(file=Path("b.csv"), prefix="b.csv ", first=11, columns=columns)
    assert chunk.where() == ["b.csv row 11", "b.csv row 12", "b.csv row 13"]
    assert chunk.texts("y") == ["1", None, "2.5"]
    assert chunk.texts(None) == [None, None, None]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (pa.int8(), "int64"),
        (pa.uint64(), "int64"),
        (pa.float16(), "double"),
        (pa.decimal128(10, 2), "double"),
        (pa.bool_(), "bool"),
        (pa.large_string(), "string"),
        (pa.string_view(), "string"),
        (pa.timestamp("us", "UTC"), "string"),
        (pa.dictionary(pa.int8(), pa.string()), "string"),
        (pa.null(), "string"),
    ],
)
def test_types_of_columns(kind, expected):
    assert table_type(kind, name="x", place="p") == expected


@pytest.mark.parametrize("kind", [pa.binary(), pa.list_(pa.int8()), pa.struct({"a": pa.int8()})])
def test_types_that_no_table_holds(kind):
    with pytest.raises(BadInput, match="p: expected numbers, text, truth values or dates in column 'x'"):
        table_type(kind, name="x", place="p")
