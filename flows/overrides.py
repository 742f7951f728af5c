"""Parameters changed for one run: `section.key=value` as a person types it, checked against params.yaml.

Knows nothing of Prefect or DVC.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

PRESETS = Path("presets")


def parse(changes: Sequence[str]) -> dict[str, Any]:
    """What each change asks for: dotted key -> value, read as YAML reads it (5000, true, text, [1, 2], null).

    Raises:
        ValueError: a change is not `section.key=value`, or two change the same key.
    """
    wanted: dict[str, Any] = {}
    for change in changes:
        key, equals, text = change.partition("=")
        key = key.strip()
        if not equals or "." not in key:
            raise ValueError(f"expected a change such as train_gan.steps=5000, got {change!r}")
        if key in wanted:
            raise ValueError(f"expected one change of {key}, got two")
        try:
            wanted[key] = YAML(typ="safe", pure=True).load(text)
        except YAMLError as error:
            raise ValueError(f"{key}: expected a value in YAML, got {text!r}") from error
    return wanted


def preset(name: str, folder: Path = PRESETS) -> dict[str, Any]:
    """What a preset asks for: dotted key -> value, from the file of that name in `folder`, laid out as params.yaml is.

    Raises:
        ValueError: there is no such preset.
    """
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        raise ValueError(f"preset must be among {known}, got {name!r}")
    sections = YAML(typ="safe", pure=True).load(folder / f"{name}.yaml")
    return {key: section[key.rpartition(".")[2]] for key, section in _leaves(sections)}


def apply(params: dict[str, Any], wanted: Mapping[str, Any]) -> None:
    """Set each dotted key of `params`, which must have it already, to a value of the same kind.

    Where `params` has null, a whole section may come instead; what it must hold, the stage that reads it checks.

    Raises:
        ValueError: a key does not exist, is a whole section, or has a value of another kind.
    """
    nulls = [f"{key}." for key, section in _leaves(params) if section[key.rpartition(".")[2]] is None]
    for key, value in wanted.items():
        if key.startswith(tuple(nulls)):
            _fill(params, key, value)
            continue
        section, name = _place(params, key)
        old = section[name]
        if value is not None and old is not None and _kind(value) != _kind(old):
            raise ValueError(f"{key}: expected {_kind(old)} as in params.yaml ({old!r}), got {value!r}")
        section[name] = value


def _fill(params: dict[str, Any], key: str, value: Any) -> None:
    """Set a key within what was null, making the sections on the way."""
    *sections, name = key.split(".")
    for one in sections:
        params[one] = params.get(one) or {}
        params = params[one]
    params[name] = value


def _place(params: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    known = dict(_leaves(params))
    if key not in known:
        inside = [leaf for leaf in known if leaf.startswith(f"{key}.")]
        near = inside[:3] or difflib.get_close_matches(key, known, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"{key}: expected a key of params.yaml, found none{hint}")
    return known[key], key.rpartition(".")[2]


def _leaves(section: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every dotted key that holds a value, with the section that holds it."""
    for name, value in section.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{key}.")
        else:
            yield key, section


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a section"
