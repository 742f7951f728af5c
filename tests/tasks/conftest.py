"""What the stages cluster and detect read."""

from pathlib import Path

import pytest

from tests.tasks import clustering, detecting


@pytest.fixture
def cluster_dir(tmp_path: Path, toy_images) -> Path:
    """A folder data/ with tiny inputs of the stage."""
    return clustering.write_inputs(tmp_path, toy_images)


@pytest.fixture
def detect_dir(tmp_path: Path, toy_images) -> Path:
    """A folder data/ with tiny inputs of the stage."""
    return detecting.write_inputs(tmp_path, toy_images)
