"""The manifest: lists every file, finds every change."""

import hashlib

import pytest

from mintmark.errors import BadInput
from mintmark.release import manifest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_bytes(b"one")
    (tmp_path / "sub" / "b.txt").write_bytes(b"two")
    manifest.write_manifest(tmp_path)
    return tmp_path


def test_every_file_is_listed_with_its_sha256(folder):
    assert manifest.read_manifest(folder) == {
        "a.txt": hashlib.sha256(b"one").hexdigest(),
        "sub/b.txt": hashlib.sha256(b"two").hexdigest(),
    }


def test_the_address_is_the_manifests_own_sha256(folder):
    assert manifest.address(folder) == hashlib.sha256((folder / "MANIFEST.json").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "a.txt").write_bytes(b"onf"), "a.txt: .* got other bytes"),
        (lambda folder: (folder / "a.txt").unlink(), "a.txt: .* found no such file"),
        (lambda folder: (folder / "c.txt").write_bytes(b"x"), "c.txt: .* does not name this file"),
        (lambda folder: (folder / "MANIFEST.json").write_text("[]"), "expected a manifest"),
        (lambda folder: (folder / "MANIFEST.json").unlink(), "expected a manifest"),
    ],
)
def test_any_change_is_found(folder, damage, message: str):
    damage(folder)
    with pytest.raises(BadInput, match=message):
        manifest.read_manifest(folder)
