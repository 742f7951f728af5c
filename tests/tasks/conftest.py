"""What the stages audit, cluster, detect and train_gan read."""

from pathlib import Path

import pytest

from mintmark.data.images import ImageSet
from tests.tasks import auditing, clustering, detecting, learning


@pytest.fixture
def cluster_dir(tmp_path: Path, toy_images) -> Path:
    """A folder data/ with tiny inputs of the stage."""
    return clustering.write_inputs(tmp_path, toy_images)


@pytest.fixture
def detect_dir(tmp_path: Path, toy_images) -> Path:
    """A folder data/ with tiny inputs of the stage."""
    return detecting.write_inputs(tmp_path, toy_images)


@pytest.fixture
def gan_dir(tmp_path: Path, toy_images) -> Path:
    """A folder data/ with tiny parts to learn from and to validate with."""
    return learning.write_split(tmp_path, toy_images(num=60), toy_images(num=30, seed=1))


@pytest.fixture(scope="module")
def audit_dir(tmp_path_factory: pytest.TempPathFactory, digits: ImageSet) -> Path:
    """A folder data/ with tiny inputs of the stage; a module's tests share it."""
    return auditing.build(tmp_path_factory.mktemp("audit"), digits)
