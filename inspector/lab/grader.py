"""A submission from its folder to its result. Whatever is wrong with it is a result, never an error.

The variant is made again from the secret and the student's name; of the folder only the sheet is read, and
its manifest as far as the seal holds.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from inspector import __version__
from inspector.errors import InspectorError
from inspector.lab.assess import assess
from inspector.lab.draw import Draw, variant_key
from inspector.lab.folder import MANIFEST, BadSubmission, Folder
from inspector.lab.loader import SandboxedLoader
from inspector.lab.result import refused, result_of, unjudged
from inspector.lab.sheet import CSV_SHEET, TOML_SHEET, BadSheet, read_sheet

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.lab.exercise import Exercise
    from inspector.lab.grounds import Grounds
    from inspector.lab.result import ResultJson
    from inspector.lab.sheet import Written
    from inspector.lab.variant import Variant

_MOST_ENTRIES = 5000


@dataclass(frozen=True, slots=True)
class Grader:
    """What all submissions of one grading have in common."""

    exercise: Exercise
    secret: bytes
    grounds: Grounds
    pace: float = 1.0
    unsafe: bool = False
    profile: bytes = b"{}\n"

    def variant(self, student: str) -> Variant:
        """Return the variant of one student."""
        return self.exercise.variant.make(Draw(variant_key(self.secret, self.exercise.name, student)))

    def grade(self, path: Path, student: str) -> ResultJson:
        """Grade one folder; nothing is raised for what is in it."""
        name = path.name
        try:
            folder = Folder(os.fspath(path))
            written = read_sheet(*folder.sheet(), self.exercise)
        except (BadSubmission, BadSheet) as error:
            return refused(self.exercise, name, student, str(error))
        try:
            return self._graded(folder, name, student, written)
        except BadSubmission as error:
            return refused(self.exercise, name, student, str(error))
        except InspectorError as error:
            return unjudged(self.exercise, name, student, str(error))

    def _graded(self, folder: Folder, name: str, student: str, written: Written) -> ResultJson:
        notes = list(written.notes)
        if written.student not in (None, student):
            notes.append(f"the sheet names another student, {written.student!r:.80}")
        variant = self.variant(student)
        machine = self._machine(folder, variant, student, notes)
        loader = SandboxedLoader(folder.path, self.pace, self.unsafe, self.profile)
        verdicts, said = assess(self.exercise, variant, written, self.grounds.evidence(machine), loader)
        return result_of(self.exercise, verdicts, submission=name, student=student, notes=[*notes, *said])

    def _machine(self, folder: Folder, variant: Variant, student: str, notes: list[str]) -> str | None:
        """Return the digest of the machine that the folder was made for, if it is theirs and sealed."""
        try:
            manifest = folder.manifest()
        except BadSubmission as error:
            notes.append(str(error))
            return None
        if manifest is None:
            return None
        if not manifest.is_sealed(self.secret):
            if manifest.variant != variant.sha256:
                # Not a nought: with the wrong secret it would be one for everybody.
                raise InspectorError(
                    "lab.json was made with another secret (--secret FILE), or changed:"
                    " which variant was asked for is not known"
                )
            notes.append("lab.json was changed: it is not heeded")
            return None
        if (manifest.exercise, manifest.student) != (self.exercise.name, student):
            notes.append(f"the folder was made for {manifest.student!r:.80} and {manifest.exercise!r:.80}")
            return None
        if manifest.variant != variant.sha256:
            notes.append("the folder was made from another version of the exercise")
        return manifest.machine

    def key(self, path: Path, student: str) -> str:
        """Return a hash of all that the result depends on, to tell whether it is known already.

        Raises InspectorError where no variant can be made.
        """
        digest = hashlib.sha256(msgspec.json.encode(self.exercise))
        recorded = None if self.grounds.recordings is None else self.grounds.recordings.machine
        parts = [__version__, path.name, student, self.grounds.digest, recorded, str(self.unsafe)]
        digest.update(variant_key(self.secret, "journal", "\n".join(map(str, parts))))
        digest.update(self.variant(student).sha256.encode())
        for name in (TOML_SHEET, CSV_SHEET, MANIFEST):
            digest.update(_bytes_of(path, name))
        if self.exercise.loader is not None:
            digest.update("\n".join(_listing(path)).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def _bytes_of(path: Path, name: str) -> bytes:
    try:
        data = Folder(os.fspath(path)).read(name, 256 << 10)
    except BadSubmission as error:
        data = str(error).encode("utf-8", "surrogateescape")
    return name.encode() + b"\0" + (data or b"") + b"\0"


def _listing(path: Path) -> list[str]:
    """Return name, size and time of each file of a folder."""
    found: list[str] = []
    for parent, _, files in os.walk(path):
        for name in sorted(files):
            full = os.path.join(parent, name)  # noqa: PTH118 - any bytes
            try:
                status = os.lstat(full)
            except OSError:
                continue
            found.append(f"{full} {status.st_size} {status.st_mtime_ns}")
        if len(found) > _MOST_ENTRIES:
            break
    return sorted(found)
