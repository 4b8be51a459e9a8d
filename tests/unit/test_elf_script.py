"""What the kernel makes of a `#!` line. That it is Linux's way is shown in tests/live/test_scripts.py."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from inspector.elf.script import (
    MAX_REWRITES,
    InterpreterLine,
    NoLine,
    executable_behind,
    interpreters,
    parse_interpreter_line,
)

if TYPE_CHECKING:
    from pathlib import Path

LINES = {
    b"#!/bin/sh\n": (b"/bin/sh", None),
    b"#! \t /bin/sh  a b \t\n": (b"/bin/sh", b"a b"),
    b"#!/bin/sh\r\n": (b"/bin/sh\r", None),
    b"#!/bin/sh": (b"/bin/sh", None),
    # Blanks that no newline follows belong to the argument; with nothing else there, it is empty.
    b"#!/bin/sh ": (b"/bin/sh", b""),
    b"#!/bin/sh a ": (b"/bin/sh", b"a "),
    b"#!/bin/sh\0a\n": (b"/bin/sh", None),
    b"#!/bin/sh a\0b\n": (b"/bin/sh", b"a"),
    b"#!": (b"", None),
    b"#! \0": (b"", None),
    b"#!/a " + b"x" * 300: (b"/a", b"x" * 250),
    b"#!" + b"y" * 253 + b"\n": (b"y" * 253, None),
    b"#!" + b"y" * 253 + b" ": (b"y" * 253, None),
}


@pytest.mark.parametrize("line", LINES, ids=lambda line: repr(line)[:24])
def test_a_line_is_read(line: bytes) -> None:
    assert parse_interpreter_line(line) == InterpreterLine(*LINES[line])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", NoLine.NOT_A_SCRIPT),
        (b"#\0!", NoLine.NOT_A_SCRIPT),
        (b" #!/bin/sh\n", NoLine.NOT_A_SCRIPT),
        (b"#!\n", NoLine.NO_NAME),
        (b"#! \t \n/bin/sh", NoLine.NO_NAME),
        (b"#!" + b" " * 254 + b"/bin/sh\n", NoLine.NO_NAME),
        (b"#!" + b"y" * 254 + b"\n", NoLine.TRUNCATED),
        (b"#!" + b" " * 200 + b"y" * 54 + b" a\n", NoLine.TRUNCATED),
    ],
)
def test_a_line_that_names_nothing(line: bytes, why: NoLine) -> None:
    assert parse_interpreter_line(line) is why


def test_the_executable_behind_a_script(tmp_path: Path) -> None:
    (tmp_path / "inner").write_bytes(b"#!program -x\n")
    (tmp_path / "outer").write_bytes(b"#!./inner\n")
    (tmp_path / "program").write_bytes(b"\x7fELF")
    cwd = os.fspath(tmp_path)
    assert interpreters("outer", cwd) == (f"{cwd}/./inner", f"{cwd}/program")
    assert executable_behind("outer", cwd) == f"{cwd}/program"
    assert executable_behind("program", cwd) == "program"
    assert executable_behind("missing", cwd) == "missing"


def test_scripts_that_lead_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "itself").write_bytes(b"#!itself\n")
    assert len(interpreters("itself", os.fspath(tmp_path))) == MAX_REWRITES + 1


def test_an_interpreter_that_is_the_programs_own_to_look_up(tmp_path: Path) -> None:
    (tmp_path / "script").write_bytes(b"#!/proc/self/exe\n")
    assert interpreters("script", os.fspath(tmp_path)) == ()
    assert executable_behind("script", os.fspath(tmp_path)) == "script"
