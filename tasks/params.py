"""A section of params.yaml as a frozen dataclass, and the way every stage starts.

Unknown and missing keys raise: no default hides in the code. Only this module reads params.yaml.
"""

import math
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mintmark.errors import BadInput

PARAMS_PATH = Path("params.yaml")
DATA_DIR = Path("data")

Section = TypeVar("Section")


def load(section: str, form: type[Section], *, path: Path = PARAMS_PATH) -> Section:
    """The section of a params file as an instance of `form`.

    Raises:
        BadInput: the file or section is missing, a key is unknown or missing, or a value is of the wrong type or range.
    """
    try:
        everything = YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise BadInput(f"{path}: expected a params file, found none") from error
    except YAMLError as error:
        raise BadInput(f"{path}: expected YAML, got {' '.join(str(error).split())}") from error
    if not isinstance(everything, Mapping) or section not in everything:
        raise BadInput(f"{path}: expected a section {section!r}, found none")
    try:
        return build(form, everything[section], name=section)
    except ValueError as error:
        raise BadInput(f"{path}: {error}") from error


def build(form: type[Section], values: Any, *, name: str) -> Section:
    """`values` as an instance of the dataclass `form`, nested ones included.

    Raises:
        ValueError: names the dotted key at fault, what it holds and what was expected.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{name} must be a section of keys, got {values!r}")
    hints = get_type_hints(form)
    expected = [one.name for one in fields(form)]  # type: ignore[arg-type]
    unknown, missing = sorted(set(values) - set(expected)), sorted(set(expected) - set(values))
    if unknown:
        raise ValueError(f"{name} has unknown keys {unknown}; known are {sorted(expected)}")
    if missing:
        raise ValueError(f"{name} lacks the keys {missing}")
    typed = {key: _typed(hints[key], values[key], f"{name}.{key}") for key in expected}
    try:
        return form(**typed)
    except ValueError as error:
        raise ValueError(f"{name}.{error}") from error


def _typed(hint: Any, value: Any, name: str) -> Any:
    """`value` checked against a type hint; lists become tuples, whole numbers become floats where floats are due."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return build(hint, value, name=name)  # type: ignore[arg-type]
    if origin in {Union, types.UnionType}:
        return _one_of(arguments, value, name)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{name} must be one of {list(arguments)}, got {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{name} must be a list, got {value!r}")
        return tuple(_typed(arguments[0], one, f"{name}[{place}]") for place, one in enumerate(value))
    if origin in {dict, Mapping} or hint is dict:
        if not isinstance(value, Mapping):
            raise ValueError(f"{name} must be a mapping, got {value!r}")
        return {str(key): _typed(arguments[1], one, f"{name}.{key}") for key, one in value.items()}
    return _scalar(hint, value, name)


def _one_of(arguments: tuple[Any, ...], value: Any, name: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    choices = [argument for argument in arguments if argument is not type(None)]
    for choice in choices[:-1]:
        try:
            return _typed(choice, value, name)
        except ValueError:
            continue
    return _typed(choices[-1], value, name)


def _scalar(hint: Any, value: Any, name: str) -> Any:
    if hint is Any:
        return value
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value!r}")
        return float(value)
    if hint in {int, str, bool} and type(value) is hint:
        return value
    hint_name = getattr(hint, "__name__", str(hint))
    advice = "; write 1.0e-4, not 1e-4" if hint is float and isinstance(value, str) else ""
    raise ValueError(f"{name} must be of type {hint_name}, got {value!r}{advice}")


def main(section: str, form: type[Section], run: Callable[[Section, Path], None]) -> None:
    """Start a stage: read its params, run it on `data/`, and answer bad input with one line and exit code 1."""
    try:
        run(load(section, form), DATA_DIR)
    except (BadInput, OSError) as error:
        sys.exit(f"{section}: {error}")
