from __future__ import annotations

import pytest

from inspector.elf.glance import Glance, Kind
from inspector.model.prediction import ExecVerdict, Outcome
from inspector.report.hint import arguments_hint, path_hint

RUNS = ExecVerdict(Outcome.RUNS)
ENOENT = ExecVerdict(Outcome.REFUSED, errno="ENOENT")
ENOEXEC = ExecVerdict(Outcome.REFUSED, errno="ENOEXEC")
NOWHERE = Glance(exists=False)


@pytest.mark.parametrize(
    ("verdict", "seen", "hint"),
    [
        (ENOENT, NOWHERE, "no such file: is the path right?"),
        (ENOENT, Glance(False, ("a",)), "no such file: is the path right? In its folder: a."),
        (ENOENT, Glance(False, ("a", "b", "c")), "no such file: is the path right? In its folder: a, b, c."),
        (ExecVerdict(Outcome.REFUSED, errno="ENAMETOOLONG"), NOWHERE, ""),
        (ENOENT, Glance(True), ""),
        (ENOENT, None, ""),
        (ENOEXEC, Glance(True, kind=Kind.OBJECT), "object file: link it, for example with gcc -m32 -static"),
        (RUNS, Glance(True, kind=Kind.OBJECT), ""),
        (
            ExecVerdict(Outcome.KILLED, signal="SIGSEGV"),
            Glance(True, kind=Kind.CUT_SHORT, size_bytes=3, needed_bytes=9),
            "cut short: its headers speak of 9 bytes, and it has 3",
        ),
    ],
)
def test_a_hint_is_given_where_there_is_no_doubt(
    verdict: ExecVerdict | None, seen: Glance | None, hint: str
) -> None:
    assert path_hint(verdict, seen) == hint


@pytest.mark.parametrize("verdict", [None, RUNS])
def test_a_64_bit_program_gets_one_where_its_prediction_ends(verdict: ExecVerdict | None) -> None:
    wide = Glance(True, kind=Kind.PROGRAM_64)
    assert path_hint(verdict, wide, not_modelled=True) == "64-bit program: compile it with gcc -m32"
    assert path_hint(verdict, wide) == ""
    assert path_hint(verdict, Glance(True, kind=Kind.CUT_SHORT), not_modelled=True) == ""


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_hint(kind: Kind) -> None:
    assert path_hint(ENOEXEC, Glance(True, kind=kind)).startswith(kind.value)


def test_what_may_be_arguments_is_quoted_as_for_a_shell() -> None:
    assert arguments_hint("a b", ["c", "d e"]) == (
        "not found: c 'd e'; arguments for the program follow --, as in: 'a b' -- c 'd e'"
    )
    assert arguments_hint("a", list("bcdefg")).endswith("as in: a -- b c d e ...")
