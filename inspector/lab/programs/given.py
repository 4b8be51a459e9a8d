"""A program of the teacher's own, the same for every student: its bytes, or the C source they come from."""

from __future__ import annotations

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from inspector.elf.symbols import find_symbol
from inspector.errors import CannotObserve, UsageError
from inspector.lab.programs.touches import PROGRAM
from inspector.lab.variant import Variant
from inspector.model.saving import read_document

if TYPE_CHECKING:
    from inspector.lab.draw import Draw

_COMPILER_SECONDS = 120


class Given(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="generator", tag="given"
):
    """The program at `path`, from the exercise's own folder; one that ends in .c is compiled, with `flags`.

    `symbols` are functions or variables of it whose addresses questions name. Another compiler makes another
    program: for source, make and grade the exercise on machines with the same one.
    """

    path: str
    flags: tuple[str, ...] = ("-O1", "-static", "-no-pie", "-fno-pie")
    symbols: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    def gives(self) -> frozenset[str]:
        """Return what questions may be about."""
        return frozenset({"files", "sections", *self.symbols})

    def make(self, draw: Draw) -> Variant:
        """Return the program. Raises BadDocument, UsageError or CannotObserve."""
        del draw
        return self._made()

    @cache  # noqa: B019 - a program is compiled once, not for each student; a command has few exercises
    def _made(self) -> Variant:
        with tempfile.TemporaryDirectory(prefix="inspector-lab-") as directory:
            program = Path(directory) / PROGRAM
            if self.path.endswith(".c"):
                _compile(self.path, self.flags, program)
            else:
                program.write_bytes(read_document(self.path))
            marks = {name: self._address(os.fspath(program), name) for name in self.symbols}
            contents = program.read_bytes()
        return Variant(files={PROGRAM: contents}, program=PROGRAM, arguments=self.arguments, marks=marks)

    def _address(self, program: str, name: str) -> int:
        address = find_symbol(program, name)
        if address is None:
            raise UsageError(f"{self.path} has no symbol {name!r}", help="mend `symbols` in the exercise")
        return address


def _compile(source: str, flags: tuple[str, ...], program: Path) -> None:
    compiler = os.environ.get("CC") or "gcc"
    try:
        done = subprocess.run(  # noqa: S603 - the teacher's own exercise, with the compiler they chose
            [compiler, "-m32", *flags, source, "-o", program],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_COMPILER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotObserve(f"{compiler}: {error}", help="install gcc-multilib, or set CC") from error
    if done.returncode:
        first = next(iter(done.stderr.splitlines()), "it does not say why")
        raise CannotObserve(f"{source} cannot be compiled: {first}", help="mend it, or install gcc-multilib")
