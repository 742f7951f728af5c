"""Params: what a section must hold, and the one line that says what is wrong with it."""

import dataclasses
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from mintmark.errors import BadInput
from tasks.params import build, load, main

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    steps: int
    rates: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    rate: float
    count: int
    shuffle: bool
    mode: Literal["slow", "fast"]
    limit: int | None
    search: Search
    shares: Mapping[str, float]


GOOD = """
stage:
  rate: 1.0e-4
  count: 3
  shuffle: true
  mode: slow
  limit: null
  search: {steps: 5, rates: [1, 0.5]}
  shares: {a: 1, b: 2.5}
"""


def loaded(folder: Path, text: str) -> Params:
    (folder / "params.yaml").write_text(text)
    return load("stage", Params, path=folder / "params.yaml")


def test_a_section_becomes_a_dataclass_with_nested_ones(tmp_path: Path):
    params = loaded(tmp_path, GOOD)
    assert params == Params(
        rate=1e-4,
        count=3,
        shuffle=True,
        mode="slow",
        limit=None,
        search=Search(steps=5, rates=(1.0, 0.5)),
        shares={"a": 1.0, "b": 2.5},
    )
    assert all(type(rate) is float for rate in params.search.rates)
    assert loaded(tmp_path, GOOD.replace("null", "7")).limit == 7


def test_a_number_without_a_point_is_the_number_that_dvc_reads(tmp_path: Path):
    """YAML 1.1 reads 1e-4 as text; 1.2, which DVC and this module read, as a number."""
    assert loaded(tmp_path, GOOD.replace("1.0e-4", "1e-4")) == loaded(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("count: 3", "", "stage lacks the keys ['count']"),
        ("count: 3", "count: 3\n  colour: red", "stage has unknown keys ['colour']; known are ['count', 'limit'"),
        ("count: 3", "count: three", "stage.count must be of type int, got 'three'"),
        ("count: 3", "count: 3.0", "stage.count must be of type int, got 3.0"),
        ("count: 3", "count: true", "stage.count must be of type int, got True"),
        ("count: 3", "count: null", "stage.count must be of type int, got None"),
        ("shuffle: true", "shuffle: 1", "stage.shuffle must be of type bool, got 1"),
        ("1.0e-4", "'1e-4'", "stage.rate must be of type float, got '1e-4'; write 1.0e-4, not 1e-4"),
        ("1.0e-4", ".nan", "stage.rate must be finite, got nan"),
        ("1.0e-4", ".inf", "stage.rate must be finite, got inf"),
        ("1.0e-4", "true", "stage.rate must be of type float, got True"),
        ("mode: slow", "mode: quick", "stage.mode must be one of ['slow', 'fast'], got 'quick'"),
        ("limit: null", "limit: none", "stage.limit must be of type int, got 'none'"),
        ("steps: 5", "steps: -5", "stage.search.steps must be at least 1, got -5"),
        ("steps: 5", "step: 5", "stage.search has unknown keys ['step']; known are ['rates', 'steps']"),
        ("{steps: 5, rates: [1, 0.5]}", "5", "stage.search must be a section of keys, got 5"),
        ("[1, 0.5]", "1", "stage.search.rates must be a list, got 1"),
        ("[1, 0.5]", "[1, x]", "stage.search.rates[1] must be of type float, got 'x'"),
        ("{a: 1, b: 2.5}", "[1]", "stage.shares must be a mapping, got [1]"),
        ("b: 2.5", "b: much", "stage.shares.b must be of type float, got 'much'"),
    ],
)
def test_what_is_wrong_is_named_with_what_was_found(tmp_path: Path, old: str, new: str, fault: str):
    assert old in GOOD
    with pytest.raises(BadInput) as caught:
        loaded(tmp_path, GOOD.replace(old, new))
    assert str(caught.value).startswith(f"{tmp_path / 'params.yaml'}: {fault}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "expected a section 'stage', found none"),
        ("other: {}", "expected a section 'stage', found none"),
        ("[stage]", "expected a section 'stage', found none"),
        ("stage:", "stage must be a section of keys, got None"),
        ("stage: {count: [", "expected YAML, got"),
        ("stage: {}\nstage: {}", "expected YAML, got"),
    ],
)
def test_a_file_without_the_section_is_named(tmp_path: Path, text: str, fault: str):
    with pytest.raises(BadInput) as caught:
        loaded(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'params.yaml'}: {fault}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(BadInput, match=r"params.yaml: expected a params file, found none"):
        load("stage", Params, path=tmp_path / "params.yaml")


def test_the_place_of_a_fault_is_the_dotted_name():
    with pytest.raises(ValueError, match=r"^a\.search\.steps must be at least 1"):
        build(Params, {**dataclasses.asdict(_good()), "search": {"steps": 0, "rates": []}}, name="a")


def _good() -> Params:
    return Params(
        rate=1.0, count=1, shuffle=False, mode="fast", limit=None, search=Search(steps=1, rates=()), shares={}
    )


def test_bad_input_and_a_missing_file_end_a_stage_with_one_line(tmp_path: Path, monkeypatch, capsys):
    (tmp_path / "params.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)

    def refuse(params: Params, data_dir: Path) -> None:
        raise BadInput(f"{data_dir}: expected {params.count} records, found none")

    def open_nothing(params: Params, data_dir: Path) -> None:
        assert params == loaded(tmp_path, GOOD)
        (data_dir / "nothing").read_bytes()

    with pytest.raises(SystemExit, match=r"^stage: data: expected 3 records, found none$"):
        main("stage", Params, refuse)
    with pytest.raises(SystemExit, match=r"^stage: \[Errno 2\] No such file or directory: 'data/nothing'$"):
        main("stage", Params, open_nothing)


def test_a_bug_keeps_its_traceback(tmp_path: Path, monkeypatch):
    (tmp_path / "params.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)

    def break_down(params: Params, data_dir: Path) -> None:
        raise ValueError(f"{params.mode} {data_dir}")

    with pytest.raises(ValueError, match="slow data"):
        main("stage", Params, break_down)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "split: params.yaml: expected a params file, found none"),
        ("validate: {}", "split: params.yaml: expected a section 'split', found none"),
        ("split: {}", "split: params.yaml: split lacks the keys ['fractions', "),
    ],
)
def test_from_the_command_line_it_is_exit_code_1_and_one_line(tmp_path: Path, text: str | None, fault: str):
    if text is not None:
        (tmp_path / "params.yaml").write_text(text)
    command, env = [sys.executable, "-m", "tasks.split"], {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(fault)
    assert len(done.stderr.splitlines()) == 1
