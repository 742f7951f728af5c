"""Real S3 services on this machine, and checkouts that meet them through the standard AWS chain alone."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
from moto.server import ThreadedMotoServer

from .servers import environment, eventually, free_port

RCLONE = Path(sys.executable).with_name("rclone")
KEY, SECRET = f"key-{uuid4().hex}", f"secret-{uuid4().hex}"  # stand in no file of a checkout
ENDED = re.compile(r"Task run '(\w+)' - Finished in state (\w+)\(")


@dataclass(frozen=True, slots=True)
class Rclone:
    """rclone's server, which checks signatures: where it answers, and the folder in which it keeps its buckets."""

    endpoint: str
    folder: Path

    def objects(self) -> dict[str, bytes]:
        """Every object of every bucket, by its path."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in files}


@contextmanager
def rclone(folder: Path) -> Iterator[Rclone]:
    """Serve the folders in `folder` as buckets, to the holder of KEY and SECRET alone."""
    if not RCLONE.is_file():
        pytest.skip("rclone is not installed")
    port, log = free_port(), folder / "rclone.log"
    buckets = folder / "buckets"
    (buckets / "bucket").mkdir(parents=True)
    words = ("serve", "s3", str(buckets), "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}")
    with log.open("w") as said:
        process = subprocess.Popen([RCLONE, *words, "--config", os.devnull], stdout=said, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: "Starting s3 server" in log.read_text() or process.poll() is not None)
        yield Rclone(f"http://127.0.0.1:{port}", buckets)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def moto() -> Iterator[str]:
    """moto's server, empty, which honours conditional writes: where it answers."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    try:
        tell(endpoint, "reset")  # its buckets are the process's, not the server's
        yield endpoint
    finally:
        server.stop()


def tell(endpoint: str, what: str, value: str = "") -> None:
    """Call moto's own interface, which sets up its state."""
    urlopen(Request(f"{endpoint}/moto-api/{what}", value.encode(), {"Content-Type": "text/plain"})).close()


def in_environment(endpoint: str, **more: str) -> dict[str, str]:
    """The standard chain's environment variables, and no file or metadata service of the machine's."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        **more,
    }


def in_files(folder: Path) -> dict[str, str]:
    """The standard chain's shared files, as on a person's machine."""
    file = folder / "credentials"
    file.write_text(f"[default]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n")
    (folder / "config").touch()
    files = {"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_CONFIG_FILE": str(folder / "config")}
    return files | {"AWS_DEFAULT_REGION": "us-east-1"}


def run(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command in a checkout, whose Prefect home lies beside it; stdout holds both streams."""
    return subprocess.run(
        words,
        cwd=folder,
        env=environment(folder.parent, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def command(folder: Path, *words: str, **more: str) -> str:
    """What a command says that must end well."""
    done = run(folder, *words, **more)
    assert done.returncode == 0, f"{words}: {done.stdout}"
    return done.stdout


def dvc(folder: Path, *words: str, **more: str) -> str:
    return command(folder, sys.executable, "-m", "dvc", *words, **more)


def commit(folder: Path) -> None:
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    command(folder, "git", "add", "-A")
    command(folder, "git", *identity, "commit", "-qm", "all")


def states(said: str) -> dict[str, str]:
    """The state in which each stage ended, from what a run of the flow said."""
    return dict(ENDED.findall(said))


def holding(folder: Path, text: str) -> list[Path]:
    """The files below a folder that hold a text."""
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]
