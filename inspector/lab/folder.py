"""A student's folder: made for them, and read again as what it is, someone else's data.

    lab.json        which exercise, whose, of which machine; sealed by the secret
    README.md       what is asked
    answers.toml    the sheet to fill in (or answers.csv)
    prog, a, b ...  the files that the questions are about

What comes back is never followed out of the folder: a file is opened only if it is a regular one, not through
a symbolic link, and only up to a size.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from inspector.errors import InspectorError, UsageError
from inspector.lab.sheet import CSV_SHEET, TOML_SHEET
from inspector.lab.variant import Variant, file_sha256
from inspector.model.saving import save_atomically
from inspector.simulators.overlay import Described, calls_text, parse_calls
from inspector.simulators.overlay.tree import place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inspector.lab.exercise import Exercise

MANIFEST = "lab.json"
_SCHEMA = "inspector.lab/1"
_LARGEST_SHEET = 256 << 10
_LARGEST_MANIFEST = 256 << 10
_LARGEST_PROGRAM = 64 << 20


class BadSubmission(InspectorError):
    """A submission, or a file of it, that is refused; the message says which and why."""


class ManifestJson(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder was made for: inspector.lab/1."""

    schema: Literal["inspector.lab/1"] = "inspector.lab/1"
    exercise: str
    student: str
    variant: str
    machine: str | None
    """The digest of the machine that the questions are about. None: it was not known."""
    kernel: str | None
    program: str | None
    files: dict[str, str]
    """Name and SHA-256 of each."""
    arguments: tuple[str, ...] = ()
    marks: dict[str, int] = {}
    references: tuple[int, ...] = ()
    pages: tuple[int, ...] = ()
    modules: tuple[tuple[str, int, str | None], ...] = ()
    base: int = 0
    calls: str = ""
    seal: str = ""

    def document(self) -> bytes:
        """Return it as a line of JSON."""
        return msgspec.json.encode(self) + b"\n"

    def sealed(self, secret: bytes) -> ManifestJson:
        """Return it with the seal of whoever knows the secret."""
        return msgspec.structs.replace(self, seal=self._seal(secret))

    def is_sealed(self, secret: bytes) -> bool:
        """Whether it is as it was made."""
        return hmac.compare_digest(self.seal.encode(), self._seal(secret).encode())

    def _seal(self, secret: bytes) -> str:
        plain = msgspec.json.encode(msgspec.structs.replace(self, seal=""))
        return hmac.new(secret, b"manifest " + plain, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that a folder's questions are about."""

    digest: str | None
    kernel: str | None


def manifest_of(exercise: Exercise, student: str, variant: Variant, machine: Machine) -> ManifestJson:
    """Return what is written down of a student's variant; nothing hidden is among it."""
    tree = variant.tree
    return ManifestJson(
        exercise=exercise.name,
        student=student,
        variant=variant.sha256,
        machine=machine.digest,
        kernel=machine.kernel,
        program=variant.program,
        files={name: file_sha256(contents) for name, contents in variant.files.items()},
        arguments=variant.arguments,
        marks=dict(variant.marks),
        references=variant.references,
        pages=variant.pages,
        modules=()
        if tree is None
        else tuple((each.name, each.size, each.parent) for each in tree.modules.values()),
        base=0 if tree is None else tree.root.address,
        calls=calls_text(variant.calls),
    )


def write_folder(directory: str, files: Mapping[str, bytes], executables: Mapping[str, bytes]) -> None:
    """Make a folder of these files, if there is none of that name. Raises UsageError, CannotSave."""
    path = Path(directory)
    try:
        path.mkdir(parents=True, exist_ok=False)
    except FileExistsError as error:
        raise UsageError(
            f"{directory} exists already", help="remove it, or name another with --output"
        ) from error
    except OSError as error:
        raise UsageError(f"{directory}: {error.strerror}", help="name another with --output") from error
    for name, contents in (*files.items(), *executables.items()):
        save_atomically(str(path / name), contents, durable=False)
        if name in executables:
            (path / name).chmod(0o755)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that was handed in. Nothing in it is trusted."""

    path: str

    def read(self, name: str, most_bytes: int) -> bytes | None:
        """Return a file of the folder; None if there is none. Raises BadSubmission."""
        try:
            directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise BadSubmission(f"the folder cannot be opened: {error.strerror}") from error
        try:
            return _read_regular(directory, name, most_bytes)
        finally:
            os.close(directory)

    def sheet(self) -> tuple[str, bytes]:
        """Return name and bytes of the answer sheet. Raises BadSubmission."""
        found = [
            (name, data)
            for name in (TOML_SHEET, CSV_SHEET)
            if (data := self.read(name, _LARGEST_SHEET)) is not None
        ]
        if not found:
            raise BadSubmission(f"there is no {TOML_SHEET}", help=f"or {CSV_SHEET}")
        if len(found) > 1:
            raise BadSubmission(f"there are {TOML_SHEET} and {CSV_SHEET}", help="hand in one of them")
        return found[0]

    def manifest(self) -> ManifestJson | None:
        """Return lab.json; None if there is none. Raises BadSubmission."""
        data = self.read(MANIFEST, _LARGEST_MANIFEST)
        if data is None:
            return None
        try:
            return msgspec.json.decode(data, type=ManifestJson)
        except (ValueError, RecursionError) as error:
            raise BadSubmission(f"{MANIFEST} is not as it was made") from error

    def variant(self) -> Variant:
        """Return the variant that the folder was made with. Raises BadSubmission where a file was changed."""
        manifest = self.manifest()
        if manifest is None:
            raise BadSubmission(
                f"there is no {MANIFEST}", help="give the folder that `inspector lab new` made"
            )
        files = {}
        for name, digest in manifest.files.items():
            contents = None if "/" in name else self.read(name, _LARGEST_PROGRAM)
            if contents is None or file_sha256(contents) != digest:
                raise BadSubmission(f"{name!r} is not the file that was made", help="make the folder again")
            files[name] = contents
        try:
            tree = (
                place([Described(*each) for each in manifest.modules], manifest.base)
                if manifest.modules
                else None
            )
            calls = parse_calls(manifest.calls, tree) if tree is not None else ()
        except UsageError as error:
            raise BadSubmission(f"{MANIFEST}: {error}") from error
        return Variant(
            files=files,
            program=manifest.program,
            arguments=manifest.arguments,
            marks=manifest.marks,
            references=manifest.references,
            pages=manifest.pages,
            tree=tree,
            calls=calls,
        )


def _read_regular(directory: int, name: str, most_bytes: int) -> bytes | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        # Before it is opened, which alone would let a FIFO's writer go on; and after, for it may be another.
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        _require_regular(name, status, most_bytes)
        descriptor = os.open(name, flags, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadSubmission(f"{name} cannot be read: {error.strerror}") from error
    try:
        _require_regular(name, os.fstat(descriptor), most_bytes)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise BadSubmission(f"{name} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if len(data) > most_bytes:
        raise BadSubmission(f"{name} grew while it was read")
    return data


def _require_regular(name: str, status: os.stat_result, most_bytes: int) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise BadSubmission(f"{name} is a symbolic link", help="hand in the file itself")
    if not stat.S_ISREG(status.st_mode):
        raise BadSubmission(f"{name} is not a regular file", help="hand in a file")
    if status.st_size > most_bytes:
        raise BadSubmission(
            f"{name} has {status.st_size} bytes, more than {most_bytes}", help="hand in the sheet alone"
        )
