"""A student's loader, run on each file in the sandbox, and what it printed read as predictions."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.lab.folder import BadSubmission
from inspector.lab.sandbox import Box, run_boxed
from inspector.lab.table import Answer, Unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.lab.kinds import Loader
    from inspector.lab.variant import Variant

_MOST_FILES, _MOST_BYTES, _DEEPEST = 2000, 64 << 20, 16
_MOST_FAILURES = 3
"""A loader that fails on so many files is not run on the others: each failure may take all its time."""
_NOBODY = 65534
_PROGRAM = "program"


@dataclass(frozen=True, slots=True)
class SandboxedLoader:
    """Runs the loader of one submission. Of `pace` see pace.py; `profile` is the document it may look at."""

    folder: str
    pace: float = 1.0
    unsafe: bool = False
    profile: bytes = b"{}\n"

    def run(self, question: Loader, command: Sequence[str], variant: Variant) -> tuple[Answer, Sequence[str]]:
        """Return its predictions for all files, and what was to be noted. Raises CannotRun, BadSubmission."""
        answers: list[Answer] = []
        notes: list[str] = []
        with _workspace() as workspace:
            submission, inputs = workspace / "submission", workspace / "input"
            notes += copy_submission(self.folder, submission)
            failures = 0
            for name, contents in (*variant.files.items(), *variant.hidden.items()):
                if failures >= _MOST_FAILURES:
                    answers.append(Answer(unread=(Unread(f"{name}: output", "", "it was not run again"),)))
                    continue
                shutil.rmtree(inputs, ignore_errors=True)
                _make_directory(inputs)
                _write(inputs / _PROGRAM, contents, 0o755)
                _write(inputs / "profile.json", self.profile, 0o444)
                box = Box(
                    os.fspath(submission),
                    os.fspath(inputs),
                    question.seconds * self.pace,
                    question.memory_mib << 20,
                    self.unsafe,
                )
                ran = run_boxed([*command, box.seen_as(_PROGRAM)], box)
                if ran.problem:
                    failures += 1
                    said = ran.complaint.decode("utf-8", "replace").strip().splitlines()
                    # Of a hidden file its own words are not passed on (Loader.told).
                    last = f": {said[-1][:200]}" if said and name in variant.files else ""
                    notes.append(f"{name}: the loader: {ran.problem}{last}")
                    answers.append(Answer(unread=(Unread(f"{name}: output", "", ran.problem),)))
                else:
                    answers.append(question.read_output(name, ran.output.decode("utf-8", "replace")))
        rows = tuple(row for answer in answers for row in answer.rows)
        return Answer(rows, tuple(each for answer in answers for each in answer.unread)), notes


@contextmanager
def _workspace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="inspector-lab-", ignore_cleanup_errors=True) as directory:
        if os.geteuid() == 0:
            # Whoever the loader is run as gets through to what they may read, and can move none of it.
            os.chown(directory, 0, _NOBODY)
            Path(directory).chmod(0o710)
        yield Path(directory)


def _make_directory(path: Path) -> None:
    path.mkdir()
    path.chmod(0o755)  # whatever the umask


def _write(path: Path, contents: bytes, mode: int) -> None:
    path.write_bytes(contents)
    path.chmod(mode)


def copy_submission(source: str, target: Path) -> list[str]:
    """Copy the regular files of a folder and return what was left out. Raises BadSubmission.

    No link is followed, neither to a file nor to a directory: every step goes by a descriptor of the last
    one.
    """
    try:
        top = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise BadSubmission(f"the folder cannot be opened: {error.strerror}") from error
    copy = _Copy([], 0, 0)
    try:
        copy.directory(top, target, "", 0)
    finally:
        os.close(top)
    return [f"left out: {', '.join(copy.left_out[:10])}"] if copy.left_out else []


@dataclass(slots=True)
class _Copy:
    left_out: list[str]
    files: int
    size: int

    def directory(self, source: int, target: Path, name: str, depth: int) -> None:
        if depth > _DEEPEST:
            raise BadSubmission(f"{name}: directories deeper than {_DEEPEST}", help="hand in fewer of them")
        _make_directory(target)
        with os.scandir(source) as entries:
            found = sorted(entry.name for entry in entries)
        for each in found:
            path = f"{name}{each}"
            status = os.stat(each, dir_fd=source, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                self._descend(source, each, target / each, f"{path}/", depth)
            elif stat.S_ISREG(status.st_mode):
                self._file(source, each, target / each, path)
            else:
                self.left_out.append(path)

    def _descend(self, source: int, name: str, target: Path, path: str, depth: int) -> None:
        try:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
        except OSError:
            self.left_out.append(path)
            return
        try:
            self.directory(inner, target, path, depth + 1)
        finally:
            os.close(inner)

    def _file(self, source: int, name: str, target: Path, path: str) -> None:
        self.files += 1
        try:
            descriptor = os.open(
                name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source
            )
        except OSError:
            self.left_out.append(path)
            return
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            self.size += status.st_size
            if not stat.S_ISREG(status.st_mode):
                self.left_out.append(path)
                return
            if self.files > _MOST_FILES or self.size > _MOST_BYTES:
                raise BadSubmission(
                    f"more than {_MOST_FILES} files or {_MOST_BYTES >> 20} MiB",
                    help="hand in what the loader needs",
                )
            _write(target, file.read(_MOST_BYTES), 0o755 if status.st_mode & 0o111 else 0o644)
