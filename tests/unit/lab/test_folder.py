"""Folders that are handed in: nothing is followed out of them, and a seal tells what was changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from inspector.errors import UsageError
from inspector.lab.exercise import load_exercise
from inspector.lab.folder import (
    BadSubmission,
    Folder,
    Machine,
    ManifestJson,
    manifest_of,
    write_folder,
)
from inspector.lab.loader import copy_submission
from inspector.lab.secret import read_secret, require_name
from tests.lab_sheets import SECRET, variant_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    exercise = load_exercise("two-views")
    variant = variant_of(exercise, "alice")
    manifest = manifest_of(exercise, "alice", variant, Machine("d", "6.1")).sealed(SECRET)
    path = tmp_path / "alice"
    write_folder(str(path), {"lab.json": manifest.document(), "answers.toml": b""}, variant.files)
    return path


@pytest.mark.parametrize("name", ["two-views", "overlay", "replacement", "page-tables", "execve-verdict"])
def test_a_variant_comes_back_from_its_folder(name: str, tmp_path: Path) -> None:
    exercise = load_exercise(name)
    variant = variant_of(exercise, "alice")
    manifest = manifest_of(exercise, "alice", variant, Machine(None, None))
    write_folder(str(tmp_path / "f"), {"lab.json": manifest.document()}, variant.files)
    assert Folder(str(tmp_path / "f")).variant().sha256 == variant.sha256


def test_hidden_files_are_not_in_a_folder() -> None:
    exercise = load_exercise("loader")
    variant = variant_of(exercise, "alice")
    manifest = manifest_of(exercise, "alice", variant, Machine(None, None))
    assert set(manifest.files) == set(variant.files)
    assert variant.hidden
    assert not any(name.startswith("hidden") for name in manifest.files)


def test_a_seal_breaks_with_any_change(folder: Path) -> None:
    manifest = Folder(str(folder)).manifest()
    assert manifest is not None
    assert manifest.is_sealed(SECRET)
    assert not manifest.is_sealed(b"another secret....")
    assert not msgspec.structs.replace(manifest, machine="e").is_sealed(SECRET)
    assert not msgspec.structs.replace(manifest, student="bob").is_sealed(SECRET)


def test_a_changed_program_is_named(folder: Path) -> None:
    (folder / "prog").write_bytes(b"\x7fELF another")
    with pytest.raises(BadSubmission, match="'prog' is not the file that was made"):
        Folder(str(folder)).variant()


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", ".."])
def test_a_manifest_leads_nowhere_else(name: str, folder: Path) -> None:
    manifest = Folder(str(folder)).manifest()
    assert manifest is not None
    changed: ManifestJson = msgspec.structs.replace(manifest, files={name: "0" * 64}, program=name)
    (folder / "lab.json").write_bytes(changed.document())
    with pytest.raises(BadSubmission):
        Folder(str(folder)).variant()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"schema": "inspector.lab/1"}', b"[" * 100_000])
def test_a_manifest_that_is_none_is_named(data: bytes, folder: Path) -> None:
    (folder / "lab.json").write_bytes(data)
    with pytest.raises(BadSubmission, match=r"lab\.json is not as it was made"):
        Folder(str(folder)).manifest()


def test_a_link_as_a_sheet_is_refused(folder: Path) -> None:
    (folder / "answers.toml").unlink()
    (folder / "answers.toml").symlink_to("/etc/passwd")
    with pytest.raises(BadSubmission, match="symbolic link"):
        Folder(str(folder)).sheet()


def test_a_link_as_a_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bob").symlink_to(folder)
    with pytest.raises(BadSubmission, match="cannot be opened"):
        Folder(str(tmp_path / "bob")).sheet()


def test_a_fifo_as_a_sheet_does_not_block(folder: Path) -> None:
    (folder / "answers.toml").unlink()
    os.mkfifo(folder / "answers.toml")
    with pytest.raises(BadSubmission, match="not a regular file"):
        Folder(str(folder)).sheet()


def test_a_giant_sheet_is_not_read(folder: Path) -> None:
    with (folder / "answers.toml").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(BadSubmission, match="1073741824 bytes"):
        Folder(str(folder)).sheet()


def test_one_sheet_is_wanted(folder: Path) -> None:
    (folder / "answers.csv").write_bytes(b"")
    with pytest.raises(BadSubmission, match=r"there are answers.toml and answers\.csv"):
        Folder(str(folder)).sheet()
    for name in ("answers.csv", "answers.toml"):
        (folder / name).unlink()
    with pytest.raises(BadSubmission, match=r"there is no answers\.toml"):
        Folder(str(folder)).sheet()


def test_a_folder_that_is_there_is_left_alone(folder: Path) -> None:
    before = (folder / "lab.json").read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        write_folder(str(folder), {"lab.json": b"new"}, {})
    assert (folder / "lab.json").read_bytes() == before


def test_only_regular_files_are_copied_and_no_link_is_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "lib").mkdir()
    (folder / "lib" / "code.py").write_text("x = 1\n")
    (folder / "secret").symlink_to("/etc/passwd")
    (folder / "top").symlink_to("/")
    os.mkfifo(folder / "pipe")
    said = copy_submission(str(folder), tmp_path / "copy")
    assert said == ["left out: pipe, secret, top"]
    found = {str(each.relative_to(tmp_path / "copy")) for each in (tmp_path / "copy").rglob("*")}
    assert found == {"answers.toml", "lab.json", "lib", "lib/code.py", "prog"}


def test_a_submission_has_an_end(folder: Path, tmp_path: Path) -> None:
    with (folder / "big").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(BadSubmission, match="more than 2000 files or 64 MiB"):
        copy_submission(str(folder), tmp_path / "copy")
    (folder / "big").unlink()
    deep = folder
    for _ in range(20):
        deep /= "d"
        deep.mkdir()
    with pytest.raises(BadSubmission, match="directories deeper than 16"):
        copy_submission(str(folder), tmp_path / "copy2")


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a b", "-x", "a\nb", "x" * 65, "\x1b[2J"])
def test_names_of_students_are_names_of_folders(name: str) -> None:
    with pytest.raises(UsageError):
        require_name(name)
    assert require_name("zhang.wei+1@x") == "zhang.wei+1@x"
    assert require_name("张伟") == "张伟"


def test_a_secret_has_a_length(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"short\n")
    with pytest.raises(UsageError, match="16 to 4096 bytes"):
        read_secret(str(file))
    file.write_bytes(b"0123456789abcdef\n")
    assert read_secret(str(file)) == b"0123456789abcdef"
