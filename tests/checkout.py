"""Checkouts of this repository's working tree, for tests that run its real pipeline on tiny params."""

import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
TINY = YAML(typ="safe").load((ROOT / "tests" / "tiny.yaml").read_text(encoding="utf-8"))


def checkout(folder: Path) -> Path:
    """A fresh checkout of the working tree, with tiny params."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    write_params(folder, TINY)
    for words in (["git", "init", "-q"], ["git", "add", "-A"]):
        subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return folder


def write_params(folder: Path, overrides: dict[str, dict[str, Any]]) -> None:
    """Change keys of a checkout's params.yaml, section by section; each must be there already."""
    yaml = YAML()
    params = yaml.load((folder / "params.yaml").read_text(encoding="utf-8"))
    for section, values in overrides.items():
        unknown = set(values) - set(params[section])
        assert not unknown, f"expected params of {section}, got {unknown}"
        update(params[section], values)
    with (folder / "params.yaml").open("w", encoding="utf-8") as target:
        yaml.dump(params, target)


def update(section: dict[str, Any], values: dict[str, Any]) -> None:
    """Put the values in, subsection by subsection."""
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(section[key], dict):
            update(section[key], value)
        else:
            section[key] = value
