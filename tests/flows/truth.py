"""What must hold of a checkout after any fault: nobody stays in it, dvc.lock is true, and what was finished is known."""

import hashlib
import os
import time
from pathlib import Path

import psutil
from ruamel.yaml import YAML

STAGES = ("first", "left", "right", "last")
WORK = """
import os, pathlib, sys, time
name, *needed = sys.argv[1:]
text = "".join(pathlib.Path(one).read_text() for one in needed)
out = pathlib.Path("data", name, "out.txt")
out.parent.mkdir(parents=True, exist_ok=True)
with out.open("w") as stream:  # in place, so that a kill does leave half a file
    for number in range(20):
        stream.write(f"{name} {number} {text}")
        stream.flush()
        time.sleep(0.02)
"""
DVC_YAML = """
stages:
  first: {cmd: python work.py first source.txt, deps: [work.py, source.txt], outs: [data/first/out.txt]}
  left: {cmd: python work.py left data/first/out.txt, deps: [data/first/out.txt], outs: [data/left/out.txt]}
  right: {cmd: python work.py right data/first/out.txt, deps: [data/first/out.txt], outs: [data/right/out.txt]}
  last:
    cmd: python work.py last data/left/out.txt data/right/out.txt
    deps: [data/left/out.txt, data/right/out.txt]
    outs: [data/last/out.txt]
"""


def make_slow(project: Path) -> Path:
    """Give a toy checkout stages that take a moment and write in place, so that a kill does leave half a file."""
    (project / "dvc.yaml").write_text(DVC_YAML)
    (project / "work.py").write_text(WORK)
    return project


def here(checkout: Path) -> list[psutil.Process]:
    """Every living process that works in the checkout."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.cwd() == str(checkout) and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if mine and process.pid != os.getpid():
            found.append(process)
    return found


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def rows(checkout: Path) -> dict[str, dict]:
    lock = checkout / "dvc.lock"
    return YAML(typ="safe").load(lock)["stages"] if lock.exists() else {}


def check_lock_is_true(checkout: Path) -> None:
    """Each row's output is in the cache with the very bytes that the row names."""
    for row in rows(checkout).values():
        for out in row["outs"]:
            held = checkout / ".dvc/cache/files/md5" / out["md5"][:2] / out["md5"][2:]
            assert md5(held) == out["md5"]


def check_nobody_stays(checkout: Path) -> None:
    deadline = time.monotonic() + 20
    while here(checkout) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [" ".join(process.cmdline()) for process in here(checkout)] == []


def finished(checkout: Path) -> set[str]:
    """The stages whose row agrees with what they read now, as far back as they reach."""
    lock, done = rows(checkout), set[str]()
    known = {"source.txt": md5(checkout / "source.txt"), "work.py": md5(checkout / "work.py")}
    for stage in STAGES:
        if stage in lock and all(known.get(dep["path"]) == dep["md5"] for dep in lock[stage]["deps"]):
            done.add(stage)
            known |= {out["path"]: out["md5"] for out in lock[stage]["outs"]}
    return done
