"""The stage validate, from files to files: nothing is lost, every bad row gets its reason, a broken table stops the run."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mintmark.data.images import read_images, write_images
from mintmark.data.records import Form, read_form
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from tasks.params import load
from tasks.validate import Params, run

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")  # Great Expectations imports them

ROOT = Path(__file__).resolve().parents[2]
PARAMS = Params(
    threads=1,
    min_range=0.0,
    max_image_z=6.0,
    max_series_z=30.0,
    max_column_z=30.0,
    max_missing_share=0.5,
    equal_records="quarantine",
    max_quarantine_rate=0.5,
    min_records=10,
    min_classes=2,
    min_class_records=3,
)
SECTION = dataclasses.asdict(PARAMS)
FORM = Form(kind="image", classes=("cat", "dog"), shape=(4, 4, 1))


def good(num: int, *, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(80, 120, (num, 4, 4, 1)).astype(np.uint8))


def planted(write_records, data_dir: Path) -> dict[int, str]:
    """Forty sound images, and one of each fault behind them; returns the reasons by row."""
    sound = good(40)
    flat, bright = np.full((4, 4, 1), 100, np.uint8), np.array([250, 255] * 8, np.uint8).reshape(4, 4, 1)
    noisy = np.array([0, 200] * 8, np.uint8).reshape(4, 4, 1)
    bad = [
        (None, "cat", "unreadable or mis-shaped"),
        (good(1, seed=1)[0], "horse", "mislabelled"),
        (flat, "cat", "constant, outlying"),  # no spread at all is far from any spread
        (bright, "dog", "outlying"),
        (noisy, "dog", "outlying"),
        (sound[0], "cat", "duplicate"),
        (sound[1], None, "duplicate"),
        (good(1, seed=2)[0], "cat", "contradictory"),
        (good(1, seed=2)[0], "dog", "contradictory"),
        (good(1, seed=3)[0], None, ""),  # no label is no fault
    ]
    write_records(
        data_dir / "ingest" / "records.parquet",
        FORM,
        payloads=[*sound, *(payload for payload, _, _ in bad)],
        labels=[*(["cat", "dog"] * 20), *(label for _, label, _ in bad)],
    )
    return {40 + row: reason for row, (_, _, reason) in enumerate(bad) if reason}


def test_every_planted_fault_is_quarantined_for_its_reason_and_nothing_else_is(tmp_path: Path, write_records):
    expected = planted(write_records, tmp_path)
    run(PARAMS, tmp_path)
    quarantine = pq.read_table(tmp_path / "validate" / "quarantine.parquet")
    found = {int(one, 16): reason for one, reason in quarantine.select(["id", "reasons"]).to_pandas().to_numpy()}
    assert found == expected
    accepted = read_images(tmp_path / "validate" / "accepted.parquet")
    assert [int(one, 16) for one in accepted.ids] == [*range(40), 49]
    ingested = pq.read_table(tmp_path / "ingest" / "records.parquet")
    kept = ingested.filter([row not in expected for row in range(50)])
    assert pq.read_table(tmp_path / "validate" / "accepted.parquet").equals(kept)
    assert read_form(tmp_path / "validate" / "quarantine.parquet") == FORM  # still a record file
    assert quarantine.drop_columns("reasons").equals(ingested.filter([row in expected for row in range(50)]))


def test_the_report_counts_each_reason_and_each_class(tmp_path: Path, write_records):
    planted(write_records, tmp_path)
    run(PARAMS, tmp_path)
    report = read_report(tmp_path / "validate")
    assert (report["quarantine_rate"].value, report["quarantine_rate"].n) == (9 / 50, 50)
    counts = {one.name: one.value for one in report.measurements if one.unit == "count"}
    assert counts == {
        "unreadable_or_mis_shaped_records": 1,
        "mislabelled_records": 1,
        "non_finite_records": 0,
        "contradictory_records": 2,
        "duplicate_records": 2,
        "constant_records": 1,
        "outlying_records": 3,
    }
    assert report.facts["classes"] == {
        "cat": {"ingested": 24, "accepted": 20},
        "dog": {"ingested": 23, "accepted": 20},
    }
    assert report.facts["unlabelled"] == {"ingested": 2, "accepted": 1}
    assert report.facts["limits"]["max_image_z"] == 6.0
    assert json.loads((tmp_path / "validate" / "metrics.json").read_text()) == {"quarantine_rate": 9 / 50}


def test_data_docs_show_the_suite_and_the_same_counts_as_the_quarantine(tmp_path: Path, write_records):
    planted(write_records, tmp_path)
    run(PARAMS, tmp_path)
    docs = tmp_path / "validate" / "docs"
    (outcome,) = (docs / "validations").rglob("*.html")
    assert (docs / "index.html").read_text().count(outcome.name) > 0
    suite, shown = (docs / "expectations" / "records.html").read_text(), outcome.read_text()
    for words in ("No equal record carries another label", "The label is one of cat, dog; no label at all is fine."):
        assert words in suite
        assert words in shown
    found = [int(one) for one in re.findall(r"(\d+) unexpected values found", shown)]
    assert sorted(found) == [1, 1, 1, 1, 2, 2, 3]  # outlying: one by its mean, that one and two more by their spread
    assert not (tmp_path / "validate" / ".partial").exists()


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, write_records):
    planted(write_records, tmp_path)
    files = ["report.json", "metrics.json", "accepted.parquet", "quarantine.parquet"]
    run(PARAMS, tmp_path)
    first = [(tmp_path / "validate" / name).read_bytes() for name in files]
    run(dataclasses.replace(PARAMS, threads=2), tmp_path)
    assert first == [(tmp_path / "validate" / name).read_bytes() for name in files]


def test_no_digit_is_quarantined_by_the_limits_that_ship(tmp_path: Path, digits):
    write_images(tmp_path / "ingest" / "records.parquet", digits)
    run(load("validate", Params, path=ROOT / "params.yaml"), tmp_path)
    assert read_report(tmp_path / "validate")["quarantine_rate"].value == 0.0
    quarantine = pq.read_metadata(tmp_path / "validate" / "quarantine.parquet")
    assert (quarantine.num_rows, quarantine.num_row_groups) == (0, 0)
    assert len(read_images(tmp_path / "validate" / "accepted.parquet")) == 1797


@settings(max_examples=8, deadline=None)
@example([(-1, "cat")])
@given(st.lists(st.tuples(st.integers(-1, 4), st.sampled_from(["cat", "dog", "horse", None])), min_size=1, max_size=30))
def test_no_record_is_ever_lost(tmp_path_factory, write_records, rows: list[tuple[int, str | None]]):
    """Few payloads, many labels: nulls, equals and contradictions in every mixture; -1 is no payload."""
    data_dir, pool = tmp_path_factory.mktemp("data"), good(5)
    source = data_dir / "ingest" / "records.parquet"
    payloads = [pool[number] if number >= 0 else None for number, _ in rows]
    write_records(source, FORM, payloads=payloads, labels=[label for _, label in rows])
    limits = {"max_quarantine_rate": 1.0, "min_records": 1, "min_classes": 0, "min_class_records": 1}
    try:
        run(dataclasses.replace(PARAMS, **limits), data_dir)
    except BadInput:
        assert not list((data_dir / "validate").iterdir())
        return
    ingested = pq.read_table(source).column("id").to_pylist()
    accepted, bad = (pq.read_table(data_dir / "validate" / f"{name}.parquet") for name in ("accepted", "quarantine"))
    assert sorted(accepted.column("id").to_pylist() + bad.column("id").to_pylist()) == ingested
    assert all(bad.column("reasons").to_pylist())
    sound = accepted.column("image").to_pylist()
    assert len({tuple(one) for one in sound}) == len(sound)


def test_each_kind_has_its_own_faults(tmp_path: Path, write_records):
    rng = np.random.default_rng(0)
    series = [*rng.normal(size=(40, 16, 2)).astype(np.float32), np.zeros((16, 2), np.float32)]
    series[7][3, 1] = np.inf
    form = Form(kind="series", classes=("cat", "dog"), shape=(16, 2))
    write_records(
        tmp_path / "s" / "ingest" / "records.parquet", form, payloads=series, labels=["cat", "dog"] * 20 + ["cat"]
    )
    run(PARAMS, tmp_path / "s")
    assert reasons_in(tmp_path / "s") == {7: "non-finite", 40: "constant"}
    run(dataclasses.replace(PARAMS, min_range=-1.0, max_series_z=5.0), tmp_path / "s")
    assert reasons_in(tmp_path / "s") == {7: "non-finite", 40: "outlying"}

    ages, sizes = [*range(20, 60), 30, 999, 31], [*np.linspace(1, 2, 40), None, 1.5, np.inf]
    form = Form(kind="table", classes=("cat", "dog"), columns={"age": "int64", "size": "double", "city": "string"})
    columns = {"age": ages, "size": sizes, "city": ["x"] * 40 + [None, "x", "x"]}
    path = tmp_path / "t" / "ingest" / "records.parquet"
    write_records(path, form, payloads=columns, labels=["cat", "dog"] * 21 + ["cat"])
    run(PARAMS, tmp_path / "t")
    assert reasons_in(tmp_path / "t") == {40: "incomplete", 41: "outlying", 42: "non-finite"}
    facts = read_report(tmp_path / "t" / "validate").facts
    assert facts["missing_values"] == {"age": 0, "size": 1, "city": 1}
    assert facts["non_finite_values"] == {"size": 1}


def reasons_in(data_dir: Path) -> dict[int, str]:
    rows = pq.read_table(data_dir / "validate" / "quarantine.parquet", columns=["id", "reasons"]).to_pylist()
    return {int(row["id"], 16): row["reasons"] for row in rows}


def test_honest_repeats_may_be_kept(tmp_path: Path, write_records):
    form = Form(kind="table", classes=("cat", "dog"), columns={"city": "string"})
    path = tmp_path / "ingest" / "records.parquet"
    write_records(path, form, payloads={"city": ["x", "y"] * 10}, labels=["cat"] * 10 + ["dog"] * 10)
    with pytest.raises(BadInput, match=r"got 100\.0% \(in quarantine: 4 contradictory; 16 contradictory, duplicate\)"):
        run(PARAMS, tmp_path)
    run(dataclasses.replace(PARAMS, equal_records="keep"), tmp_path)
    assert reasons_in(tmp_path) == {}


@pytest.mark.parametrize(
    ("labels", "limits", "fault"),
    [
        (["cat"], {}, "expected at least 10 sound records, got 1"),
        (["cat"] * 12, {}, "expected at least 2 classes with sound records, got ['cat']"),
        ([None] * 12, {}, "expected at least 2 classes with sound records, got []"),
        (["cat"] * 12 + ["dog"] * 2, {}, "expected at least 3 sound records of each class, got 2 of 'dog'"),
        (
            ["cat", "dog"] * 8 + ["cow"] * 4,
            {"max_quarantine_rate": 0.15},
            "expected at most 15.0% of 20 records in quarantine, got 20.0% (in quarantine: 4 mislabelled)",
        ),
    ],
)
def test_a_broken_table_stops_the_run_with_its_reason(tmp_path: Path, write_records, labels, limits, fault: str):
    source = tmp_path / "ingest" / "records.parquet"
    write_records(source, FORM, payloads=good(len(labels)), labels=labels)
    with pytest.raises(BadInput) as caught:
        run(dataclasses.replace(PARAMS, **limits), tmp_path)
    assert str(caught.value).startswith(f"{source}: {fault}")
    assert not list((tmp_path / "validate").iterdir())


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "params.yaml").write_text(json.dumps({"validate": SECTION}))
    command = [sys.executable, "-m", "tasks.validate"]
    env = {"PYTHONPATH": str(ROOT), "PATH": ""}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_a_broken_table_is_one_line_and_leaves_what_was_there(tmp_path: Path, write_records):
    write_records(tmp_path / "data" / "ingest" / "records.parquet", FORM, payloads=good(12), labels=["cat"] * 12)
    before = tmp_path / "data" / "validate" / "accepted.parquet"
    before.parent.mkdir()
    before.write_text("from an earlier run")
    done = start(tmp_path)
    said = [line for line in done.stderr.splitlines() if not line.startswith("progress")]
    assert done.returncode == 1
    fault = "expected at least 2 classes with sound records, got ['cat'] (in quarantine: none)"
    assert said == [f"validate: data/ingest/records.parquet: {fault}"]
    assert [one.name for one in before.parent.iterdir()] == ["accepted.parquet"]
    assert before.read_text() == "from an earlier run"


def test_a_file_that_is_no_record_file_is_one_line(tmp_path: Path):
    source = tmp_path / "data" / "ingest" / "records.parquet"
    source.parent.mkdir(parents=True)
    source.write_text("no parquet")
    done = start(tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "records.parquet: expected a Parquet file" in done.stderr


def test_nobody_is_told_of_a_run(tmp_path: Path, write_records):
    """Great Expectations reports usage in some versions; the recorder of connections is shown to work at the end."""
    write_records(tmp_path / "data" / "ingest" / "records.parquet", FORM, payloads=good(12), labels=["cat", "dog"] * 6)
    (tmp_path / "params.yaml").write_text(json.dumps({"validate": SECTION}))
    program = """
import os, runpy, socket, urllib.request
tried = []
def refuse(*address, **options):
    tried.append(address)
    raise OSError("no network here")
socket.getaddrinfo = socket.socket.connect = refuse
runpy.run_module("tasks.validate", run_name="__main__")
during = len(tried)
try:
    urllib.request.urlopen("http://example.invalid/")
except OSError:
    pass
print(os.environ["GX_ANALYTICS_ENABLED"], during, len(tried))
"""
    command, env = [sys.executable, "-c", program], {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["false", "0", "1"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("threads", 0),
        ("max_image_z", 0.0),
        ("max_series_z", -6.0),
        ("max_column_z", -1.0),
        ("max_missing_share", 1.5),
        ("max_quarantine_rate", -0.1),
        ("min_records", 0),
        ("min_classes", -1),
        ("min_class_records", 0),
    ],
)
def test_a_wrong_limit_is_named(key: str, value: float):
    with pytest.raises(ValueError, match=f"^{key} must"):
        dataclasses.replace(PARAMS, **{key: value})  # type: ignore[arg-type]
