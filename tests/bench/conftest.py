"""Fixtures of the benchmarks' tests: files laid out as the published ones are."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def write_idx() -> Callable[[Path, np.ndarray], None]:
    """Writes bytes as a gzipped idx file."""

    def write(path: Path, values: np.ndarray) -> None:
        header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
        path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))

    return write
