"""What the stage detect reads."""

from pathlib import Path

import pytest

from tests.tasks.detecting import write_inputs


@pytest.fixture
def detect_dir(tmp_path: Path, toy_images) -> Path:
    """A folder data/ with tiny inputs of the stage."""
    return write_inputs(tmp_path, toy_images)
