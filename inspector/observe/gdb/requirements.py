"""What a gdb must be able to do, and how it is told what we need of it."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from inspector.errors import GdbRefused, GdbTooOld
from inspector.observe.gdb.mi import list_of
from inspector.observe.gdb.regions import FORBID_EVERYTHING

if TYPE_CHECKING:
    from inspector.observe.gdb.connection import Answer

OLDEST = (12, 0)
"""The features below are older; what *stopped records say and what gdb reads unasked cannot be asked for."""

FEATURES = frozenset({"breakpoint-notifications", "data-read-memory-bytes"})
"""Of those that -list-features names."""

ARGUMENTS = (
    "--nx",
    "--nh",
    "--quiet",
    "--interpreter=mi3",
    # Absent from some builds, and then not needed: a setting that fails here is only complained of.
    "--init-eval-command=set auto-load off",
    "--init-eval-command=set debuginfod enabled off",
)

SETUP = (
    "-gdb-set confirm off",
    # While the program runs, gdb goes on reading commands: it can be told to let a process go.
    "-gdb-set mi-async on",
    # No executable and no library is opened: the addresses we want come from elsewhere, a damaged ELF file
    # could crash gdb, and from ld.so it would take the address of a breakpoint that copies a text page.
    "-gdb-set sysroot /dev/null",
    "-gdb-set auto-solib-add off",
    # Without a file to tell from, the system calls' names depend on it.
    "-gdb-set osabi GNU/Linux",
    # Stepping over a breakpoint would otherwise copy the instruction to the program's entry page.
    "-gdb-set displaced-stepping off",
    # A program that is continued is not worth a stop, and one that interrupts itself is to feel it.
    "handle SIGCONT nostop noprint pass",
    "handle SIGINT pass",
    *FORBID_EVERYTHING,
)
"""Commands sent at the start, all of which must succeed."""

QUESTIONS = ("-gdb-version", "-list-features")
_VERSION = re.compile(r"(?<![\w.~-])(\d+)\.(\d+)")
_VERSION_SECONDS = 5.0


def check(version_answer: Answer, features_answer: Answer) -> str:
    """Return gdb's version from the answers to `QUESTIONS`; GdbTooOld if it cannot serve."""
    text = version_answer.console
    version = parse_version(text)
    shown = text.partition("\n")[0].strip() or "this gdb"
    if version is not None and version < OLDEST:
        raise _too_old(shown)
    missing = FEATURES - set(map(str, list_of(features_answer.results, "features")))
    if missing:
        raise _too_old(f"{shown} has no {', '.join(sorted(missing))}")
    return shown.removeprefix("GNU gdb ").strip()


def parse_version(text: str) -> tuple[int, int] | None:
    """Return (major, minor) from what `gdb --version` prints, or None if it is not recognised.

    The last number of the first line counts, its distribution's suffix aside:
    `GNU gdb (Debian 13.1-3) 13.1`, `GNU gdb (GDB) Red Hat Enterprise Linux 8.2-20.el8`.
    """
    versions = _VERSION.findall(text.partition("\n")[0])
    return (int(versions[-1][0]), int(versions[-1][1])) if versions else None


def too_old_by_its_own_words(executable: str) -> GdbTooOld | None:
    """Ask a gdb that would not even start to talk MI for its version; None if that is not the reason."""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own gdb
            [executable, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    text = done.stdout.decode("utf-8", "replace")
    version = parse_version(text)
    if version is None or version >= OLDEST:
        return None
    return _too_old(text.partition("\n")[0].strip())


def cannot_be_set_up(version: str, refusal: GdbRefused) -> GdbTooOld:
    """Return the error to raise if one of `SETUP` is refused."""
    return _too_old(f"{version}: {refusal}")


def _too_old(what: str) -> GdbTooOld:
    needed = ".".join(map(str, OLDEST))
    return GdbTooOld(f"too old: {what}", help=f"gdb {needed} or newer is needed; name one with --gdb")
