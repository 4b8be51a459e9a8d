"""The first line of a script, as the kernel reads it, judged by no one yet.

    #!  NAME  ARGUMENT      one argument at most, blanks and all; what stands behind a zero byte is not seen

Of a file the kernel looks at 256 bytes and no more, and what a shorter file lacks reads as zeros. What it
refuses stands in `predict/kernel/binfmt_script.py`.
"""

from __future__ import annotations

import enum
from contextlib import suppress
from dataclasses import dataclass

from inspector.elf.file import ExecutableFile
from inspector.elf.path import below_self, interpreter_path, path_from
from inspector.errors import CannotObserve

BINPRM_BUF_SIZE = 256
"""How much of a file the handlers see (include/uapi/linux/binfmts.h)."""

MAX_REWRITES = 5
"""How often execve goes on with another file (fs/exec.c:exec_binprm())."""

_BLANKS = b" \t"
_TERMINATORS = b" \t\0"


@dataclass(frozen=True, slots=True)
class InterpreterLine:
    """What a `#!` line asks for."""

    name: bytes
    """A path; empty where a zero byte comes first."""
    argument: bytes | None


class NoLine(enum.Enum):
    """Why a file has no `#!` line that the kernel could follow."""

    NOT_A_SCRIPT = "not a script"
    NO_NAME = "no name"
    """Nothing but blanks."""
    TRUNCATED = "truncated"
    """Neither the line nor the name comes to an end, so that there may be more of it."""


def parse_interpreter_line(buffer: bytes) -> InterpreterLine | NoLine:
    """Read the `#!` line in the first bytes of a file. Source: fs/binfmt_script.c:load_script().

    Blanks behind the argument belong to it unless a newline, or the end of the buffer, comes behind them.
    """
    buffer = buffer[:BINPRM_BUF_SIZE].ljust(BINPRM_BUF_SIZE, b"\0")
    if not buffer.startswith(b"#!"):
        return NoLine.NOT_A_SCRIPT
    # strnchr() looks for the newline no further than to a zero byte.
    end = buffer.partition(b"\0")[0].find(b"\n")
    if end < 0:
        end = len(buffer) - 1
        name = buffer[2:].lstrip(_BLANKS)
        if not name:
            return NoLine.NO_NAME
        if not any(byte in name for byte in _TERMINATORS):
            return NoLine.TRUNCATED
    end = len(buffer[:end].rstrip(_BLANKS))
    start = _skip_blanks(buffer, 2)
    if start >= end:
        return NoLine.NO_NAME
    separator = next((at for at in range(start, end) if buffer[at] in _TERMINATORS), end)
    name = buffer[start:separator]
    if separator == end or not buffer[separator]:
        return InterpreterLine(name, None)
    return InterpreterLine(name, buffer[_skip_blanks(buffer, separator) : end].partition(b"\0")[0])


def _skip_blanks(buffer: bytes, start: int) -> int:
    return len(buffer) - len(buffer[start:].lstrip(_BLANKS))


def interpreters(path: str, cwd: str) -> tuple[str, ...]:
    """Return the files that would interpret `path`, the last of them the program; none unless it is a script.

    Ends at what cannot be read, or what is another file to each process (/proc/self): it is the kernel's to
    say what becomes of that.
    """
    found: list[str] = []
    here = path_from(cwd, path)
    with suppress(OSError, ValueError, CannotObserve):
        while len(found) <= MAX_REWRITES:
            with ExecutableFile(here) as file:
                line = parse_interpreter_line(file.read(0, BINPRM_BUF_SIZE))
            if isinstance(line, NoLine):
                break
            here = path_from(cwd, interpreter_path(line.name))
            if below_self(here) is not None:
                break
            found.append(here)
    return tuple(found)


def executable_behind(path: str, cwd: str) -> str:
    """Return the file whose code runs if `path` is executed: its own, or a script's last interpreter's."""
    return next(reversed(interpreters(path, cwd)), path)
