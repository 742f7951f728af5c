"""Sources that lie elsewhere, brought whole to this machine before they are read: http(s) and s3.

Credentials and endpoints come from the standard AWS chain (environment, files, instance), which boto3 reads itself;
this module sees none. Retries are the libraries'. Knows nothing of what the files hold.
"""

import http.client
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

from mintmark.errors import BadInput
from mintmark.files import scratch_folder

CONNECT_SECONDS = 5
READ_SECONDS = 60
ATTEMPTS = 3
CHUNK_BYTES = 1 << 20
FETCHERS = 8  # objects of a prefix that are fetched at once


@contextmanager
def fetched(source: str, *, into: Path, beside: Sequence[str] = ()) -> Iterator[Path]:
    """Yield the local path of a source, fetched first where it is remote; what was fetched is gone afterwards.

    Args:
        source: A path, an http(s) address, or s3://bucket/key, where the key is an object or a prefix of objects.
        into: What is fetched lies in the unfinished work that belongs to this path.
        beside: Names of further files to fetch from beside the source, where it is a single file.

    Raises:
        BadInput: there is nothing at `source`, it may not be read, or it cannot be reached. An error in the block that
            names the fetched file comes out naming `source`.
    """
    scheme = urlsplit(source).scheme
    if scheme not in {"http", "https", "s3"}:
        if not Path(source).exists():
            raise BadInput(f"{source}: expected a file or a folder, found none")
        yield Path(source)
        return
    with scratch_folder(into) as folder:
        path = _from_s3(source, folder, beside) if scheme == "s3" else _from_http(source, folder, beside)
        try:
            yield path
        except BadInput as error:
            above = public(source).rsplit("/", 1)[0]
            raise BadInput(str(error).replace(str(path), public(source)).replace(str(folder), above)) from error


def public(source: str) -> str:
    """The source without what follows a question mark in an address: a signed one carries its secret there."""
    return source.split("?", 1)[0] if urlsplit(source).scheme in {"http", "https"} else source


def _from_http(source: str, folder: Path, beside: Sequence[str]) -> Path:
    name = Path(unquote(urlsplit(source).path)).name
    first = folder / (name if name.strip(".") else "download")
    _download(source, first)
    for name in beside:
        _download(source.replace(first.name, name), folder / name)
    return first


def _download(address: str, path: Path) -> None:
    try:
        with urlopen(address, timeout=READ_SECONDS) as response, path.open("wb") as stream:  # noqa: S310 - http(s) only
            expected = response.headers.get("Content-Length")
            shutil.copyfileobj(response, stream, CHUNK_BYTES)
    except HTTPError as error:
        error.close()  # it holds the open response
        raise BadInput(f"{public(address)}: expected a file, got status {error.code} ({error.reason})") from error
    except (URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise BadInput(f"{public(address)}: expected to read it, got {_one_line(reason)}") from error
    found = path.stat().st_size
    if expected is not None and int(expected) != found:
        raise BadInput(f"{public(address)}: expected {expected} bytes, got {found}")


def _from_s3(source: str, folder: Path, beside: Sequence[str]) -> Path:
    bucket, _, key = source.removeprefix("s3://").partition("/")  # a key may hold any character, "?" and "#" as well
    if not bucket:
        raise BadInput(f"{source}: expected s3://bucket/key, got no bucket")
    retries = {"max_attempts": ATTEMPTS, "mode": "standard"}
    try:
        client = boto3.Session().client(
            "s3", config=Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=retries)
        )
        if key and not key.endswith("/") and _is_object(client, bucket, key):
            names = [key.rsplit("/", 1)[-1], *beside]
            above = key.removesuffix(names[0])
            for name in names:
                _copy(client, bucket, above + name, folder / name)
            return folder / names[0]
        paths = _targets(client, source, bucket, folder, key if key.endswith("/") or not key else f"{key}/")
        with ThreadPoolExecutor(FETCHERS) as pool:
            list(pool.map(lambda key: _copy(client, bucket, key, paths[key]), paths))
    except ClientError as error:
        fault = error.response.get("Error", {})
        found = f"{fault.get('Code', 'an error')} ({_one_line(fault.get('Message', ''))})"
        raise BadInput(f"{source}: expected to read it, got {found}") from error
    except (BotoCoreError, Boto3Error) as error:
        raise BadInput(f"{source}: expected to read it, got {_one_line(error)}") from error
    return folder


def _is_object(client: Any, bucket: str, key: str) -> bool:
    try:
        client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == http.client.NOT_FOUND:
            return False
        raise
    return True


def _targets(client: Any, source: str, bucket: str, folder: Path, prefix: str) -> dict[str, Path]:
    """The keys below a prefix, and the paths below `folder` to bring them to."""
    paths = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for key in (found["Key"] for found in page.get("Contents", [])):
            if key.endswith("/"):
                continue  # a marker of an empty folder
            paths[key] = folder / key.removeprefix(prefix)
            if not paths[key].resolve().is_relative_to(folder.resolve()):
                raise BadInput(f"{source}: expected keys below the prefix, got {key!r}")
    if not paths:
        raise BadInput(f"{source}: expected an object or objects below it, found none")
    return paths


def _copy(client: Any, bucket: str, key: str, path: Path) -> None:
    """Bring one object; boto3 checks its length and, where the server has one, its checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    client.download_file(bucket, key, str(path), Config=TransferConfig(use_threads=False))


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
