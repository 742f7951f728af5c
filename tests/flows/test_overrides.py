"""Parameters changed for one run."""

import importlib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from flows import overrides
from tasks.params import build

ROOT = Path(__file__).resolve().parents[2]


def params() -> dict[str, Any]:
    return {"train_gan": {"steps": 900, "rate": 0.5, "note": "x", "deep": {"on": True, "sizes": [1], "none": None}}}


def changed(*changes: str) -> dict[str, Any]:
    mine = params()
    overrides.apply(mine, overrides.parse(changes))
    return mine["train_gan"]


def test_values_are_read_as_yaml_reads_them():
    assert changed("train_gan.steps=5000")["steps"] == 5000
    assert changed("train_gan.rate=1.0e-4")["rate"] == changed("train_gan.rate=1e-4")["rate"] == 1e-4
    assert changed("train_gan.note=a=b")["note"] == "a=b"
    assert changed("train_gan.deep.on=false", " train_gan.deep.sizes = [1, 2]")["deep"] == {
        "on": False,
        "sizes": [1, 2],
        "none": None,
    }


def test_null_and_what_was_null_take_any_kind():
    assert changed("train_gan.deep.none=[3, 4]")["deep"]["none"] == [3, 4]
    assert changed("train_gan.note=null")["note"] is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "train_gan.stepz=1",
            r"train_gan\.stepz: expected a key of params.yaml, found none; did you mean train_gan\.ste",
        ),
        ("train_gan.deep=1", r"train_gan\.deep: expected a key .* did you mean train_gan\.deep\.on or"),
        ("gan.x.y=1", r"gan\.x\.y: expected a key"),
        ("train_gan.steps=many", r"train_gan\.steps: expected a number as in params.yaml \(900\), got 'many'"),
        ("train_gan.steps=true", r"expected a number .* got True"),
        ("train_gan.deep.on=1", r"expected true or false"),
        ("train_gan.deep.sizes=1", r"expected a list"),
        ("train_gan.note=[1]", r"expected text"),
        ("train_gan.note={a: 1}", r"expected text"),
    ],
)
def test_what_params_do_not_have_is_refused(change: str, said: str):
    with pytest.raises(ValueError, match=said):
        changed(change)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["steps"], "expected a change such as train_gan.steps=5000, got 'steps'"),
        (["steps=3"], "expected a change such as"),
        (["a.b=1", "a.b=2"], r"one change of a\.b"),
        (["a.b=["], r"a\.b: expected a value in YAML"),
    ],
)
def test_what_is_not_a_change_is_refused(changes: list[str], said: str):
    with pytest.raises(ValueError, match=said):
        overrides.parse(changes)


def test_a_preset_is_a_file_laid_out_as_params_are(tmp_path: Path):
    (tmp_path / "small.yaml").write_text("train_gan: {steps: 5, deep: {sizes: [1, 2]}}")
    assert overrides.preset("small", tmp_path) == {"train_gan.steps": 5, "train_gan.deep.sizes": [1, 2]}
    with pytest.raises(ValueError, match=r"preset must be among \['small'\], got 'large'"):
        overrides.preset("large", tmp_path)


def test_a_section_may_come_where_there_was_null_and_nowhere_else():
    params = {"train_gan": {"labels": None, "steps": 5}}
    wanted = {"train_gan.labels.least": 0.5, "train_gan.labels.by.name": "both", "train_gan.labels.by.num": 2}
    overrides.apply(params, wanted)
    assert params == {"train_gan": {"labels": {"least": 0.5, "by": {"name": "both", "num": 2}}, "steps": 5}}
    with pytest.raises(ValueError, match=r"train_gan\.steps\.deep: expected a key of params\.yaml, found none"):
        overrides.apply({"train_gan": {"labels": None, "steps": 5}}, {"train_gan.steps.deep": 1})


@pytest.mark.parametrize("name", [path.stem for path in (ROOT / "presets").glob("*.yaml")])
def test_every_stage_takes_the_presets_that_ship(name: str):
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    overrides.apply(params, overrides.preset(name, ROOT / "presets"))
    for stage, section in params.items():
        form = importlib.import_module(f"tasks.{stage}").Params
        assert isinstance(build(form, section, name=stage), form)
