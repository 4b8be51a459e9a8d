"""One line of help for those who meant another file, or another command line. The verdict stands as it is."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from inspector.elf.glance import Kind
from inspector.language import N_, tr
from inspector.model.prediction import Outcome
from inspector.report.text import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.elf.glance import Glance
    from inspector.model.prediction import ExecVerdict

_MOST_MISSING = 4
_HINTS = {
    Kind.C_SOURCE: N_("C source: compile it with gcc -m32 -static, and give the program that comes out"),
    Kind.OBJECT: N_("object file: link it, for example with gcc -m32 -static"),
    Kind.OBJECT_64: N_("64-bit object file: compile it with gcc -m32, and link it"),
    Kind.PROGRAM_64: N_("64-bit program: compile it with gcc -m32"),
}


def path_hint(verdict: ExecVerdict | None, seen: Glance | None, *, not_modelled: bool = False) -> str:
    """Return what may help where the program is not run, or not predicted to its end; else nothing.

    `verdict` is None where there is none for want of a model; `not_modelled`: the prediction ends early.
    """
    if seen is None:
        return ""
    if verdict is None or verdict.outcome is Outcome.RUNS:
        return tr(_HINTS[seen.kind]) if not_modelled and seen.kind is Kind.PROGRAM_64 else ""
    if not seen.exists:
        if verdict.errno != "ENOENT":
            return ""
        missing = tr("no such file: is the path right?")
        near = tr("In its folder: {names}.").format(names=", ".join(seen.similar))
        return joined(missing, near) if seen.similar else missing
    if seen.kind is Kind.CUT_SHORT:
        return tr("cut short: its headers speak of {needed} bytes, and it has {size}").format(
            needed=seen.needed_bytes, size=seen.size_bytes
        )
    return "" if seen.kind is None else tr(_HINTS[seen.kind])


def arguments_hint(program: str, missing: Sequence[str]) -> str:
    """Return what may help where paths given after `program` lead nowhere: they may be its arguments."""
    words = " ".join(map(shlex.quote, missing[:_MOST_MISSING]))
    words += " ..." if len(missing) > _MOST_MISSING else ""
    command = f"{shlex.quote(program)} -- {words}"
    return tr("not found: {words}; arguments for the program follow --, as in: {command}").format(
        words=words, command=command
    )
