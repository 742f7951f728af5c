"""A disk that fills up, wherever it does: the run says so, dvc.lock stays true, and the next run goes on."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import whole_dvc
from flows.deploy import deploy, open_store
from flows.full_disk import full_disks
from mintmark.errors import BadInput
from mintmark.files import whole_file, write_json
from mintmark.release.manifest import write_manifest

from .conftest import make_project
from .test_faults import BARE, start
from .truth import STAGES, check_lock_is_true, finished, rows

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]
PAGE = os.sysconf("SC_PAGE_SIZE")
DISK_BYTES = 4 << 20
SAYS_SO = ("No space left on device", "database or disk is full", "no space is left")
WORK = """
import pathlib, sys
name, *needed = sys.argv[1:]
texts = [pathlib.Path(one).read_text() for one in needed]
assert all(text.endswith("whole") for text in texts), "half a file was read"
out = pathlib.Path("data", name, "out.txt")
out.parent.mkdir(parents=True, exist_ok=True)
with out.open("w") as stream:  # in place, so that a full disk does leave half a file
    for number in range(5):
        stream.write(f"{name} {number} {texts[0][:20]}".ljust(4000))
        stream.flush()
    stream.write("whole")
"""
# Every row repeats a long parameter, so that dvc.lock takes more pages with each stage.
DVC_YAML = """
stages:
  first:
    cmd: python work.py first source.txt
    deps: [work.py, source.txt]
    params: [note]
    outs: [data/first/out.txt]
  left:
    cmd: python work.py left data/first/out.txt
    deps: [data/first/out.txt]
    params: [note]
    outs: [data/left/out.txt]
  right:
    cmd: python work.py right data/first/out.txt
    deps: [data/first/out.txt]
    params: [note]
    outs: [data/right/out.txt]
  last:
    cmd: python work.py last data/left/out.txt data/right/out.txt
    deps: [data/left/out.txt, data/right/out.txt]
    params: [note]
    outs: [data/last/out.txt]
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    found = tmp_path / "disk"
    found.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(found)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a disk")
    yield found
    subprocess.run(["umount", "--lazy", found], check=True)


def leave(disk: Path, pages: int) -> Path:
    """Fill the disk up to so many pages; the file that fills it."""
    filler = disk / "filler"
    with filler.open("wb") as stream:
        stream.write(bytes((os.statvfs(disk).f_bavail - pages) * PAGE))
    assert os.statvfs(disk).f_bavail == pages
    return filler


@pytest.fixture
def template(tmp_path: Path) -> Path:
    folder = tmp_path / "template"
    folder.mkdir()
    make_project(folder)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "work.py").write_text(WORK)
    (folder / "params.yaml").write_text(f"note: {'x' * 3000}\n")
    (folder / "source.txt").write_text("source, whole")
    return folder


def fresh(template: Path, disk: Path, *, site_on_disk: bool) -> Path:
    """A new checkout on the disk; DVC's own notes on files lie beside it or elsewhere."""
    shutil.rmtree(disk / "checkout", ignore_errors=True)
    checkout = shutil.copytree(template, disk / "checkout")
    site = checkout / ".dvc/tmp/site" if site_on_disk else template.with_name("site")
    shutil.rmtree(site, ignore_errors=True)
    with (checkout / ".dvc/config").open("a") as config:
        config.write(f"    site_cache_dir = {site}\n")
    return checkout


def where_it_ended(said: str) -> str:
    """What of a run the disk had no room for."""
    marks = {
        "the cache": "failed to transfer",
        "DVC's trial of links": "No possible cache link types",
        "DVC's notes": "disk I/O error",
        "DVC's notes, said by itself": "database or disk is full",
        "dvc.lock": ".dvc.lock.partial",
        "a stage's output": "failed to run",
        "the locks": "rwlock",
    }
    return next((name for name, mark in marks.items() if mark in said), said.strip().splitlines()[-1][:120])


def check_the_next_run_completes(checkout: Path) -> None:
    done = finished(checkout)
    again = start(checkout, "-c", BARE)
    said = again.communicate(timeout=600)[0]
    assert again.returncode == 0, said
    ran = {line.split()[0] for line in said.splitlines() if line.endswith(" ran")}
    assert not ran & done, f"lost: {ran & done}"
    assert finished(checkout) == set(STAGES)
    check_lock_is_true(checkout)
    for stage in STAGES:
        assert (checkout / "data" / stage / "out.txt").read_text().endswith("whole")


def fill_up(template: Path, disk: Path, pages: int, *, site_on_disk: bool) -> str:
    """Run with so many pages left, then with room; what the disk had no room for, "nothing" where all fitted."""
    checkout = fresh(template, disk, site_on_disk=site_on_disk)
    filler = leave(disk, pages)
    run = start(checkout, "-c", BARE)
    said = run.communicate(timeout=600)[0]
    ended = "nothing" if run.returncode == 0 else where_it_ended(said)
    try:
        if run.returncode:
            assert any(words in said for words in SAYS_SO)
        passed = [line.split()[0] for line in said.splitlines() if line.endswith((" ran", " Cached"))]
        check_lock_is_true(checkout)
        assert finished(checkout) >= set(passed[:-1] if run.returncode else passed)
        assert set(rows(checkout)) <= set(STAGES)
        filler.unlink()
        check_the_next_run_completes(checkout)
    except Exception as error:
        raise AssertionError(
            f"{pages} pages left, notes on the disk: {site_on_disk}, ended in {ended}: {said}"
        ) from error
    return ended


@pytest.mark.parametrize(
    ("sizes", "site_on_disk"),
    [
        ([3, 29], False),
        pytest.param(range(0, 75, 3), False, marks=pytest.mark.nightly),
        pytest.param(range(0, 180, 12), True, marks=pytest.mark.nightly),
    ],
)
def test_wherever_the_space_ends_the_lock_is_true_and_the_next_run_completes(
    template: Path, disk: Path, sizes: list[int], *, site_on_disk: bool
):
    ends = {pages: fill_up(template, disk, pages, site_on_disk=site_on_disk) for pages in sizes}
    print(json.dumps(ends))
    assert len(set(ends.values())) > 1


@pytest.mark.nightly
@pytest.mark.parametrize("site_on_disk", [False, True])
def test_the_flow_names_the_stage_and_the_next_flow_completes(
    template: Path, disk: Path, prefect_server: None, *, site_on_disk: bool
):
    words = ("-m", "flows.pipeline", "--deploy-to", "")
    ends = []
    for pages in (24, 0):
        checkout = fresh(template, disk, site_on_disk=site_on_disk)
        filler = leave(disk, pages)
        run = start(checkout, *words)
        said = run.communicate(timeout=600)[0]
        assert run.returncode != 0, f"{pages} pages: {said}"
        line = next(line for line in said.splitlines() if line.startswith("Failed: "))
        message = " ".join(said[said.index(line) :].split())  # as wide as the terminal
        assert any(words in message for words in SAYS_SO), f"{pages} pages: {said}"
        began = "Flow run encountered an exception" not in message  # else DVC could not even open its notes on files
        assert not began or any(f"{stage} failed" in message for stage in STAGES), message
        check_lock_is_true(checkout)
        done = finished(checkout)
        filler.unlink()
        again = start(checkout, *words)
        said = again.communicate(timeout=600)[0]
        assert again.returncode == 0, said
        assert f"4 steps done, {len(done)} of them cached" in said
        check_lock_is_true(checkout)
        ends.append(f"{pages} pages: {len(done)} kept, {message[:160]}")
    print(json.dumps(ends))


def test_a_full_disk_is_named_and_a_broken_configuration_hides_nothing(disk: Path, project: Path):
    (project / ".dvc/config").write_text(f"[cache]\n    dir = {disk}\n")
    assert full_disks() == []
    leave(disk, 1)
    assert full_disks() == [f"no space is left for {disk}: {PAGE} bytes"]
    (project / ".dvc/config").write_text("nonsense")
    assert full_disks() == []


@pytest.fixture
def long_lock(disk: Path) -> Path:
    """A dvc.lock of two pages on a disk that has no third one."""
    lock = disk / "dvc.lock"
    lock.write_text(json.dumps({"stages": {f"stage{number}": {"cmd": "x" * 1000} for number in range(6)}}))
    assert PAGE < lock.stat().st_size < 2 * PAGE
    return lock


def add_rows(lock: Path, modify: Any) -> None:
    with modify(os.fspath(lock)) as data:
        data["stages"].update({f"more{number}": {"cmd": "y" * 1000} for number in range(12)})


def test_dvc_alone_cuts_its_lock_short_and_here_it_stays_whole(disk: Path, long_lock: Path):
    before = long_lock.read_bytes()
    leave(disk, 2)
    with pytest.raises(OSError, match="No space left on device"):
        add_rows(long_lock, whole_dvc.modify_whole)
    assert long_lock.read_bytes() == before
    assert sorted(path.name for path in disk.iterdir()) == ["dvc.lock", "filler"]
    with pytest.raises(OSError, match="No space left on device"):
        add_rows(long_lock, whole_dvc.modify_in_place)
    assert len(long_lock.read_bytes()) < len(before) + 12000  # neither the old text nor the new one
    assert long_lock.read_bytes() != before


def test_with_room_the_lock_is_what_dvc_writes(long_lock: Path, tmp_path: Path):
    copy = Path(shutil.copyfile(long_lock, tmp_path / "dvc.lock"))
    add_rows(long_lock, whole_dvc.modify_whole)
    add_rows(copy, whole_dvc.modify_in_place)
    assert long_lock.read_bytes() == copy.read_bytes()


@pytest.mark.parametrize("pages", range(3))
def test_a_whole_file_stays_as_it_was(disk: Path, pages: int):
    folder = disk / "stage"
    write_json(folder / "report.json", ["old"])
    leave(disk, pages)

    def write_much() -> None:
        with whole_file(folder / "report.json") as partial, partial.open("wb") as stream:
            for _ in range(pages + 1):
                stream.write(bytes(PAGE))
                stream.flush()

    with pytest.raises(OSError, match="No space left on device"):
        write_json(folder / "report.json", ["new"] * (pages + 1) * PAGE)
    with pytest.raises(OSError, match="No space left on device"):
        write_much()
    assert json.loads((folder / "report.json").read_text()) == ["old"]
    assert [path.name for path in folder.iterdir()] == ["report.json"]


def make_bundle(folder: Path, size: int) -> Path:
    (folder / "evidence").mkdir(parents=True)
    write_json(folder / "evidence" / "verdict.json", {"released": True})
    (folder / "data.parquet").write_bytes(os.urandom(size))
    write_manifest(folder)
    return folder


def test_a_deployment_that_does_not_fit_leaves_current_where_it_was(disk: Path, tmp_path: Path):
    target = str(disk / "releases")
    assert deploy(make_bundle(tmp_path / "old", 100), target).status == "published"
    before = open_store(target).read_pointer()
    bundle = make_bundle(tmp_path / "new", 10 * PAGE)
    pages, said = 0, list[str]()
    while True:  # one page more each time, until it fits
        filler = leave(disk, pages)
        try:
            outcome = deploy(bundle, target)
        except BadInput as error:
            said.append(str(error))
            assert open_store(target).read_pointer() == before
            assert not list((disk / "releases").rglob("*.partial"))
        else:
            assert outcome.status == "published"
            break
        finally:
            filler.unlink()
        pages += 1
    print(json.dumps({"did not fit": len(said)}))
    assert len(said) > 10
    assert set(said) == {f"{target}: expected a folder to publish to, got No space left on device"}
