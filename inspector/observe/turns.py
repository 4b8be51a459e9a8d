"""One observation of a file at a time, whoever makes it.

A read fault maps the pages around the one it is for, but passes over a folio that is locked at that moment
(mm/filemap.c:next_uptodate_folio()). Two programs that fault on the same file at the same time can each make
the other miss a page, which then takes a fault of its own.
"""

from __future__ import annotations

import fcntl
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile
from inspector.errors import CannotObserve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inspector.observe.deadline import Deadline

_POLL_SECONDS = 0.005


@contextmanager
def turn(paths: Iterable[str], deadline: Deadline) -> Iterator[list[str]]:
    """Hold the files at `paths` for one observation; wait for others to be done with them, until `deadline`.

    Yields, in words, which of them could not be had by then. A file that cannot be read is not waited for.
    """
    late = []
    with ExitStack() as held:
        files: dict[tuple[int, int], ExecutableFile] = {}
        for path in paths:
            with suppress(OSError, ValueError, CannotObserve):
                file = held.enter_context(ExecutableFile(path))
                files.setdefault((file.stat.st_dev, file.stat.st_ino), file)
        # In one order for everyone, or two could wait for each other.
        for _, file in sorted(files.items()):
            with suppress(OSError):  # a file system without locks
                if not _locked(file, deadline):
                    late.append(f"{file.path} was observed by someone else at the same time")
        yield late


def _locked(file: ExecutableFile, deadline: Deadline) -> bool:
    while True:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if deadline.passed:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True
