"""Search a folder's bytes for real records: raw pixels, encoded pictures at any whole enlargement, ids.

Looks into Parquet columns, PNG files and pictures embedded in text. Finds exact copies alone: near-copies are the
business of `anonymise`. Records of one colour are not looked for, since such bytes occur everywhere.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import UInt8, UInt64
from PIL import UnidentifiedImageError

from mintmark.data.records import iter_batches, payload_array, read_form
from mintmark.release.pictures import decode_png

LARGEST_ENLARGEMENT = 40
_CHUNK = 1 << 22
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that its powers have inverses modulo 2^64
_INVERSE = np.uint64(pow(int(_BASE), -1, 1 << 64))
_PNG = b"\x89PNG\r\n\x1a\n"
_ID_LENGTH = 32
_HEX_RUN = re.compile(rb"[0-9a-f]{%d,}" % _ID_LENGTH)
_DATA_URI = re.compile(rb"data:image/png;base64,([A-Za-z0-9+/=]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class RealRecords:
    """What is looked for.

    Attributes:
        shape: (height, width, channels) of every record.
        digests: sha256 of each record's pixel bytes.
        windows: Sorted rolling hashes of the same bytes.
        ids: The records' ids.
    """

    shape: tuple[int, int, int]
    digests: frozenset[bytes]
    windows: UInt64[np.ndarray, " n"]
    ids: frozenset[bytes]

    def __len__(self) -> int:
        return len(self.ids)


def gather(paths: Sequence[Path]) -> RealRecords:
    """The records of some image files, as what to look for."""
    height, width, channels = read_form(paths[0]).shape
    size = height * width * channels
    digests: set[bytes] = set()
    ids: set[bytes] = set()
    windows = [np.zeros(0, np.uint64)]
    for path in paths:
        for batch in iter_batches(path, columns=["id", "image"]):
            flat = payload_array(batch, "image").reshape(-1, size)
            ids.update(one.encode() for one in batch.column("id").to_pylist())
            flat = flat[(flat != flat[:, :1]).any(axis=1)]
            digests.update(hashlib.sha256(one.tobytes()).digest() for one in flat)
            windows.append(_window_hashes(flat, size)[:, 0])
    return RealRecords(
        shape=(height, width, channels),
        digests=frozenset(digests),
        windows=np.unique(np.concatenate(windows)),
        ids=frozenset(ids),
    )


def count_copies(path: Path, real: RealRecords) -> int:
    """How many images of a record file are equal to a real one, pixel by pixel."""
    return sum(
        hashlib.sha256(image.tobytes()).digest() in real.digests
        for batch in iter_batches(path, columns=["image"])
        for image in payload_array(batch, "image")
    )


def search(folder: Path, real: RealRecords) -> list[str]:
    """Every place in a folder's files where a real record or a real id was found, one line each."""
    found = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        name = path.relative_to(folder).as_posix()
        found += [f"{name}: {what}" for what in _search_text(path.read_bytes(), real)]
        if path.suffix == ".parquet":
            found += [f"{name}, {where}: {what}" for where, what in _search_columns(path, real)]
    return found


def _search_text(content: bytes, real: RealRecords) -> Iterator[str]:
    """Look for ids, raw pixels and pictures in the bytes of one file or value."""
    if content.startswith(_PNG):
        yield from _search_picture(content, real)
    for run in _HEX_RUN.finditer(content):
        text = run.group()
        if any(text[at : at + _ID_LENGTH] in real.ids for at in range(len(text) - _ID_LENGTH + 1)):
            yield "a real id"
    size = int(np.prod(real.shape))
    pixels = np.frombuffer(content, np.uint8)
    for start in range(0, len(pixels), _CHUNK):
        if _holds(pixels[None, start : start + _CHUNK + size - 1], (1, size), real):
            yield "the raw pixels of a real record"
    for uri in _DATA_URI.finditer(content):
        try:
            yield from _search_picture(base64.b64decode(uri.group(1)), real)
        except binascii.Error:
            continue


def _search_picture(content: bytes, real: RealRecords) -> Iterator[str]:
    """Look for real records in a picture: as a whole or a part, as they are or enlarged."""
    try:
        picture = decode_png(content)
    except (UnidentifiedImageError, OSError):
        return
    height, width, channels = real.shape
    if picture.shape == real.shape:  # thousands of these in a data file
        if hashlib.sha256(picture.tobytes()).digest() in real.digests:
            yield "the picture of a real record"
        return
    if picture.shape[2] < channels:
        return
    picture = picture[:, :, :channels]  # a grey record that was drawn in colour is in each of its channels
    for times in range(1, LARGEST_ENLARGEMENT + 1):
        # sampling every `times`-th pixel meets each enlarged pixel once, wherever the enlargement begins
        sampled = picture[::times, ::times]
        if sampled.shape[0] < height or sampled.shape[1] < width:
            return
        rows = sampled.reshape(sampled.shape[0], -1)
        if _holds(rows, (height, width * channels), real, step=channels):
            yield f"the picture of a real record, enlarged {times} times"


def _search_columns(path: Path, real: RealRecords) -> Iterator[tuple[str, str]]:
    """Look into every value of a Parquet file, where compression would hide it from a search of the bytes."""
    for batch in pq.ParquetFile(path).iter_batches(batch_size=1024):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            storage = column.storage if isinstance(column, pa.ExtensionArray) else column
            for value in storage.to_pylist():
                for content in _contents(value):
                    looks = _search_picture if content.startswith(_PNG) else _search_text
                    for what in looks(content, real):
                        yield f"column {name}", what


def _contents(value: object) -> Iterator[bytes]:
    """The byte strings in a nested value; a list of small numbers is one byte string."""
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, str):
        yield value.encode()
    elif isinstance(value, dict):
        for one in value.values():
            yield from _contents(one)
    elif isinstance(value, list):
        if value and all(isinstance(one, int) and 0 <= one <= 255 for one in value):
            yield bytes(value)
        else:
            for one in value:
                yield from _contents(one)


def _holds(
    rows: UInt8[np.ndarray, "height length"], window: tuple[int, int], real: RealRecords, *, step: int = 1
) -> bool:
    """Whether a window of (rows, bytes) over `rows`, moved by whole steps, shows a real record."""
    tall, long = window
    if rows.shape[0] < tall or rows.shape[1] < long:
        return False
    hashes = _window_hashes(rows, long)[:, ::step]
    shift = _powers(tall * long)[::long]  # a lower row's bytes come later in the record
    places = hashes.shape[0] - tall + 1
    whole = sum((hashes[row : row + places] * shift[row] for row in range(tall)), np.zeros(1, np.uint64))
    for row, column in np.argwhere(np.isin(whole, real.windows)).tolist():
        shown = rows[row : row + tall, column * step : column * step + long]
        if hashlib.sha256(shown.tobytes()).digest() in real.digests:
            return True
    return False


def _window_hashes(rows: UInt8[np.ndarray, "height length"], size: int) -> UInt64[np.ndarray, "height places"]:
    """The polynomial hash, modulo 2^64, of every `size` consecutive bytes of each row (Karp and Rabin 1987)."""
    weighted = rows.astype(np.uint64) * _powers(rows.shape[1])
    sums = np.concatenate([np.zeros((len(rows), 1), np.uint64), weighted.cumsum(axis=1, dtype=np.uint64)], axis=1)
    windows = sums[:, size:] - sums[:, :-size]
    return windows * _powers(windows.shape[1], base=_INVERSE)


@lru_cache(maxsize=8)
def _powers(num: int, *, base: np.uint64 = _BASE) -> UInt64[np.ndarray, " num"]:
    """1, base, base^2, ... modulo 2^64."""
    factors = np.full(num, base, np.uint64)
    factors[:1] = 1
    return factors.cumprod(dtype=np.uint64)
