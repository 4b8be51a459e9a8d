"""What has been graded already, a line of JSON each, so that a grading that was interrupted goes on.

A line is appended as soon as a submission is graded. One that was cut off, or is of other inputs, is as good
as none; a result of which something could not be judged is not kept to.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from inspector.errors import CannotSave
from inspector.lab.folder import BadSubmission, Folder
from inspector.lab.result import ResultJson

if TYPE_CHECKING:
    from pathlib import Path


_LARGEST_BYTES = 256 << 20


class LineJson(msgspec.Struct, frozen=True):
    """One submission: what it was graded from (`Grader.key`), and what came of it."""

    key: str
    result: ResultJson


@dataclass(slots=True)
class Journal:
    """The file of what has been graded."""

    path: Path
    known: dict[str, ResultJson] = field(default_factory=dict)
    cut: bool = False
    """Whether its last line has no end."""

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Read what there is. Raises CannotSave for what is no file, such as a link in its place."""
        journal = cls(path)
        try:
            data = Folder(os.fspath(path.parent)).read(path.name, _LARGEST_BYTES) or b""
        except BadSubmission as error:
            raise CannotSave(f"{path}: {error}", help="remove it, or name another with --journal") from error
        journal.cut = bool(data) and not data.endswith(b"\n")
        for line in data.splitlines():
            try:
                entry = msgspec.json.decode(line, type=LineJson)
            except (ValueError, RecursionError):
                continue
            if not entry.result.broken and not entry.result.unjudged_points:
                journal.known[entry.key] = entry.result
        return journal

    def add(self, key: str, result: ResultJson) -> None:
        """Write one more. Raises CannotSave."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path, flags, 0o600)
            try:
                line = msgspec.json.encode(LineJson(key, result)) + b"\n"
                data = memoryview(b"\n" + line if self.cut else line)
                self.cut = True
                while data:
                    data = data[os.write(descriptor, data) :]
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CannotSave(
                f"{self.path}: {error.strerror}", help="name another file with --journal"
            ) from error
        self.cut = False
