"""The stage ingest streams: its peak memory does not grow with the rows."""

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from ruamel.yaml import YAML

from mintmark.data.records import tensor_column

REPOSITORY = Path(__file__).parents[2]
DEFAULTS = YAML(typ="safe").load((REPOSITORY / "params.yaml").read_text())["ingest"]


def section(**wanted: Any) -> dict[str, Any]:
    """The shipped params with some keys changed; a mapping changes keys of a subsection."""
    changed = {key: DEFAULTS[key] | value if isinstance(value, dict) else value for key, value in wanted.items()}
    return DEFAULTS | changed


def save_image(path: Path, image: Image.Image | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or Image.new("L", (4, 4), 7)).save(path)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def big_idx(folder: Path, rows: int) -> dict:
    (folder / "images").write_bytes(idx(np.zeros((rows, 256, 256), np.uint8)))
    return {"source": "images", "format": "idx", "columns": {"label": None}}


def big_npz(folder: Path, rows: int) -> dict:
    np.savez(folder / "x.npz", image=np.zeros((rows, 256, 256), np.uint8))
    return {"source": "x.npz", "format": "npz", "columns": {"label": None}}


def big_parquet(folder: Path, rows: int) -> dict:
    values = np.random.default_rng(0).integers(0, 256, (50, 256, 256, 1), dtype=np.uint8)
    table = pa.table({"image": tensor_column(values)})
    with pq.ParquetWriter(folder / "x.parquet", table.schema) as writer:
        for _ in range(rows // 50):
            writer.write_table(table)
    return {"source": "x.parquet", "format": "parquet", "columns": {"label": None}}


def big_csv(folder: Path, rows: int) -> dict:
    text = "x" * 4096
    with (folder / "x.csv").open("w") as stream:
        stream.write("label,a,b,c,d\n")
        stream.writelines(
            f"a,{row}{text},{text},{text},{text}\n" for row in range(rows * 8)
        )  # beyond what Arrow reads ahead
    return {"source": "x.csv", "format": "csv", "kind": "table"}


def big_folder(folder: Path, rows: int) -> dict:
    for row in range(rows):
        save_image(folder / "src" / "a" / f"{row}.bmp", Image.new("L", (256, 256), row % 256))
    return {"source": "src", "format": "image_folder"}


BY_NIGHT = [pytest.param(big, marks=pytest.mark.nightly) for big in (big_npz, big_csv, big_folder)]

# not ru_maxrss: it starts from the peak of the process that started this one
PEAK = """
import runpy
from pathlib import Path
runpy.run_module("tasks.ingest", run_name="__main__")
print(*[line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc for a process's own peak memory")
@pytest.mark.parametrize("big", [big_idx, big_parquet, *BY_NIGHT], ids=lambda big: big.__name__)
def test_peak_memory_does_not_grow_with_the_rows(tmp_path, big):
    """From 400 to 1,600 rows of 64 KiB the payload grows by 75 MiB; the peak, which varies by 20 MiB, may by half of that."""
    peaks = []
    for rows in (400, 1600):
        folder = tmp_path / str(rows)
        folder.mkdir()
        YAML().dump({"ingest": section(**big(folder, rows))}, folder / "params.yaml")
        paths = {"PYTHONPATH": str(REPOSITORY), "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
        done = subprocess.run([sys.executable, "-c", PEAK], cwd=folder, env=paths, capture_output=True, check=True)
        peaks.append(int(done.stdout.split()[-1]) / 1024)
    print(f"{big.__name__}: {peaks[0]:.0f} MiB at 400 rows, {peaks[1]:.0f} MiB at 1,600")
    assert peaks[1] - peaks[0] < 75 / 2
