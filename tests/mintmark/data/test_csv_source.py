"""CSV files as tables, images, series and windows of long series."""

from pathlib import Path

import numpy as np
import pytest

from mintmark.data import csv_text
from mintmark.data.columns import Columns
from mintmark.data.csv_source import open_csv_images, open_csv_series, open_csv_table, open_csv_windows
from mintmark.data.csv_text import CsvText, Dialect
from mintmark.data.pixels import Canvas
from mintmark.errors import BadInput


def columns(**wanted) -> Columns:
    nothing = {"label": None, "group": None, "id": None, "drop": (), "sensitive": (), "quasi_identifier": ()}
    return Columns(**nothing | wanted)


def text(path: Path, content: str) -> CsvText:
    path.write_text(content)
    return CsvText(path, dialect=Dialect(delimiter=",", header=True, missing=("", "?")))


def canvas(size=None, channels=None) -> Canvas:
    return Canvas(size=size, channels=channels, fit="pad", max_pixels=1000)


def test_a_table_keeps_its_columns_with_their_types(tmp_path):
    source = open_csv_table(
        text(tmp_path / "x.csv", "age, job ,y,who,family\n39, clerk,<=50K,a,f\n50,?,,b,\n"),
        columns=columns(label="y", id="who", group="family"),
    )
    assert dict(source.columns) == {"age": "int64", "job": "string"}
    (batch,) = source.batches()
    assert not isinstance(batch.payload, np.ndarray)
    assert batch.payload.to_pylist() == [{"age": 39, "job": "clerk"}, {"age": 50, "job": None}]
    assert (batch.labels, batch.ids, batch.groups) == (["<=50K", None], ["a", "b"], ["f", None])


def test_pixel_columns_fold_row_by_row(tmp_path):
    header = "y," + ",".join(f"p{i}" for i in range(6))
    source = text(tmp_path / "x.csv", f"{header}\n3,0,1,2,3,4,255\n")
    (batch,) = open_csv_images(source, columns=columns(label="y"), canvas=canvas(size=(2, 3))).batches()
    np.testing.assert_array_equal(batch.payload[0, :, :, 0], [[0, 1, 2], [3, 4, 255]])
    (batch,) = open_csv_images(source, columns=columns(label="y"), canvas=canvas(size=(1, 2), channels=3)).batches()
    np.testing.assert_array_equal(batch.payload[0], [[[0, 1, 2], [3, 4, 255]]])
    with pytest.raises(BadInput, match="expected one column a pixel for a square image of 1 channels, got 6 columns"):
        open_csv_images(source, columns=columns(label="y"), canvas=canvas())


def test_a_row_without_whole_pixels_loses_no_other(tmp_path):
    content = "a,b,c,d\n1,2,3,4\n1,2,3,\n1,x,3,4\n1,2,3,256\n5,6,7,8\n"
    (batch,) = open_csv_images(text(tmp_path / "x.csv", content), columns=columns(), canvas=canvas()).batches()
    assert {row: batch.where[row] for row in batch.broken} == {1: "row 2", 2: "row 3", 3: "row 4"}
    assert batch.broken[2] == "expected a number in column 'b', got 'x'"
    np.testing.assert_array_equal(batch.payload[[0, 4], :, :, 0], [[[1, 2], [3, 4]], [[5, 6], [7, 8]]])


def test_a_series_a_row_keeps_gaps_as_nan(tmp_path):
    source = open_csv_series(text(tmp_path / "x.csv", "y,t1,t2,t3\n1,0.5,?,2\n-1,1,2,3\n"), columns=columns(label="y"))
    (batch,) = source.batches()
    assert source.shape == (3, 1)
    np.testing.assert_array_equal(batch.payload[:, :, 0], np.array([[0.5, np.nan, 2], [1, 2, 3]], np.float32))
    assert batch.labels == ["1", "-1"]


LONG = "when,a,b,machine,state\n" + "".join(
    f"{i},{i},{i * 10},{machine},{state}\n"
    for i, (machine, state) in enumerate(
        [("m1", "ok")] * 5 + [("m1", "bad")] * 2 + [("m2", "bad")] * 4 + [("m2", "ok")] * 1
    )
)


def test_windows_cross_no_change_of_group_or_label(tmp_path):
    source = open_csv_windows(
        text(tmp_path / "x.csv", LONG), columns=columns(label="state", group="machine", drop=("when",)), length=2
    )
    (batch,) = source.batches()
    assert isinstance(batch.payload, np.ndarray)
    assert batch.payload[:, :, 0].tolist() == [[0, 1], [2, 3], [5, 6], [7, 8], [9, 10]]
    assert batch.payload[0, :, 1].tolist() == [0, 10]
    assert list(batch.labels) == ["ok", "ok", "bad", "bad", "bad"]
    assert list(batch.groups or ()) == ["m1", "m1", "m1", "m2", "m2"]
    assert batch.where[1] == "the 2 rows to row 4"
    assert source.left_over == 2


def test_windows_do_not_depend_on_how_the_file_is_cut_into_blocks(tmp_path, monkeypatch):
    content = "v\n" + "".join(f"{i}\n" for i in range(3000))
    path = text(tmp_path / "x.csv", content)
    (whole,) = open_csv_windows(path, columns=columns(), length=7).batches()
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", 1024)
    assert len(list(path.chunks())) > 5
    (cut,) = open_csv_windows(path, columns=columns(), length=7).batches()
    np.testing.assert_array_equal(whole.payload, cut.payload)
    np.testing.assert_array_equal(whole.payload.ravel(), np.arange(428 * 7))


def test_windows_do_not_cross_files(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("v\n1\n2\n3\n")
    source = CsvText(tmp_path, dialect=Dialect(delimiter=",", header=True, missing=()))
    found = open_csv_windows(source, columns=columns(), length=2)
    (batch,) = found.batches()
    assert isinstance(batch.payload, np.ndarray)
    assert batch.payload[:, :, 0].tolist() == [[1, 2], [1, 2]]
    assert found.left_over == 2


def test_text_in_a_window_breaks_that_window_alone(tmp_path):
    (batch,) = open_csv_windows(
        text(tmp_path / "x.csv", "v\n1\n2\nx\n4\n5\n6\n"), columns=columns(), length=2
    ).batches()
    assert batch.broken == {1: "expected a number in column 'v', got 'x'"}


@pytest.mark.parametrize(
    ("wanted", "length", "reason"),
    [
        ({}, 7, "expected a run of at least 7 rows, found none"),
        ({"drop": ("v",)}, 2, "one column a channel and no other, found none"),
        ({"id": "w"}, 2, "found an id column, though a window has many rows"),
    ],
)
def test_windows_that_cannot_be_are_refused(tmp_path, wanted, length, reason):
    source = text(tmp_path / "x.csv", "v\n1\n2\n" if "id" not in wanted else "v,w\n1,1\n2,2\n")
    with pytest.raises(BadInput, match=reason):
        open_csv_windows(source, columns=columns(**wanted), length=length)


def test_a_file_with_a_header_alone_is_refused(tmp_path):
    source = text(tmp_path / "x.csv", "a,b,c,d\n")
    for opened in (
        lambda: open_csv_images(source, columns=columns(), canvas=canvas()),
        lambda: open_csv_series(source, columns=columns()),
    ):
        with pytest.raises(BadInput, match="at least one record"):
            opened()
