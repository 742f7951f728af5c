"""Published packages to compare with, each in a virtual environment of its own, with pinned versions."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def install(folder: Path, pins: Sequence[str]) -> Path:
    """A fresh environment with these packages; its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *pins], check=True, stdout=sys.stderr)
    return python


def answer(python: Path | str, script: str, *arguments: str, cwd: Path | None = None) -> dict[str, Any]:
    """The JSON object in the last line that a script prints in a process of its own."""
    command = [str(python), "-c", script, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=cwd)
    return json.loads(done.stdout.splitlines()[-1])
