"""Where pages for a browser go: one file, or of several programs a directory with an index."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from inspector.cli.output import STDOUT
from inspector.errors import CannotSave, InspectorError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.layout.views import ElfImage
    from inspector.model.finding import Finding
    from inspector.model.observation import Observation
    from inspector.model.prediction import FileIdentity, Prediction
    from inspector.report.document import Document
    from inspector.report.html import Entry
    from inspector.report.summary import Line

INDEX = "index.html"
_LONGEST_NAME = 60


class PageFile:
    """The page of one program."""

    def __init__(self, path: str) -> None:
        """Raises CannotSave or UsageError, before any work is done, for a file that cannot be saved."""
        from inspector.model.saving import require_savable

        _require_name(path)
        require_savable(path)
        self._path = path

    def save(self, page: bytes) -> None:
        """Write the page. Raises CannotSave."""
        _save(self._path, page)


class PageDirectory:
    """Pages of several programs: each is saved when it is known, the index when all are.

    A page is named by its number and the last part of its path. What else is in the directory stays.
    """

    def __init__(self, path: str, programs: int) -> None:
        """Make the directory if it is not there. Raises CannotSave, or UsageError."""
        from inspector.model.saving import require_savable

        _require_name(path)
        self._path = path
        self._digits = len(str(programs))
        self._entries: list[Entry] = []
        try:
            os.makedirs(path, exist_ok=True)  # noqa: PTH103 - any bytes
        except (OSError, ValueError) as error:
            reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "no name of a file"
            help_line = "of several programs, --html names a directory for their pages"
            raise CannotSave(f"{path}: {reason}", help=help_line) from error
        require_savable(self._in(INDEX))

    def add(self, line: Line, page: bytes | None) -> None:
        """Save the page of the next program, if it has one. Raises CannotSave."""
        from inspector.report.html import Entry

        name = ""
        if page is not None:
            name = f"{len(self._entries) + 1:0{self._digits}}-{_plain(line.requested)}.html"
            _save(self._in(name), page)
        self._entries.append(Entry(line, name))

    def finish(self) -> None:
        """Save the index. Raises CannotSave."""
        from inspector.report.html import index_page

        _save(self._in(INDEX), index_page(self._entries))

    def _in(self, name: str) -> str:
        return os.path.join(self._path, name)  # noqa: PTH118 - any bytes


def _require_name(path: str) -> None:
    """Raise UsageError for `-`, which elsewhere is standard output: that is where the report in text goes."""
    if path == STDOUT:
        raise UsageError("--html - would mix a page with the text", help="give it a name: --html report.html")


def _plain(requested: str) -> str:
    """Return a file name that needs no quoting anywhere, made of a path that may hold anything."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", requested.rpartition("/")[2])[:_LONGEST_NAME].strip("._")
    return name or "program"


def _save(path: str, page: bytes) -> None:
    from inspector.model.saving import save_atomically

    save_atomically(path, page, durable=False)


def program_page(
    prediction: Prediction,
    observation: Observation | None,
    findings: Sequence[Finding],
    document: Document,
    *,
    in_directory: bool = False,
    unobserved: str = "",
) -> bytes:
    """Return the page of one program; `document`: its report as a text; `unobserved`: why nothing was."""
    from inspector.elf.symbol_index import SymbolIndex
    from inspector.report.html import Subject, page

    path = program_file(prediction)
    subject = Subject(
        prediction,
        observation,
        tuple(findings),
        document,
        image=None if path is None else _image(path),
        unobserved=unobserved,
        symbols=None if path is None else SymbolIndex(path),
    )
    return page(subject, home=INDEX if in_directory else "")


def program_file(prediction: Prediction) -> str | None:
    """Return where the file lies that was predicted from: by its path, or by the name the user gave.

    None where it is no longer there, or is not what it was.
    """
    from inspector.elf.file import ExecutableFile

    identity = _program_file(prediction)
    if identity is None or identity.sha256 is None:
        return None
    for path in dict.fromkeys((identity.path, prediction.program.requested)):
        with suppress(OSError, ValueError, InspectorError), ExecutableFile(path) as file:
            if file.size == identity.size and file.sha256 == identity.sha256:
                return path
    return None


def _image(path: str) -> ElfImage | None:
    """Return the file's parts; None where it is not an i386 program."""
    from inspector.elf.file import ExecutableFile
    from inspector.layout.views import read_image

    with suppress(OSError, ValueError, InspectorError), ExecutableFile(path) as file:
        return read_image(file)
    return None


def _program_file(prediction: Prediction) -> FileIdentity | None:
    """Return which of the files holds the program: of a script, that of its last interpreter."""
    scripts = 0 if prediction.script is None else len(prediction.script.interpreters)
    return prediction.files[scripts] if scripts < len(prediction.files) else None


__all__ = ["PageDirectory", "PageFile", "program_file", "program_page"]
