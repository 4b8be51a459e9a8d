"""The lines that fuzzing prints."""

from __future__ import annotations

from collections import Counter

from inspector.fuzz.campaign import Campaign, Case, Subject, Tally
from inspector.fuzz.fields import Change
from inspector.fuzz.surroundings import Role, Surroundings
from inspector.fuzz.trial import Standing, Trial
from inspector.model.finding import Finding, Verdict
from inspector.report.mutants import case_line, tally_lines, tally_text
from inspector.report.terminal import Style
from tests.machines import PROFILE

PLAIN = Style(unicode=False)
DIFFERS = Trial(
    Standing.DIFFERS,
    (Finding("execve", "verdict", "", "runs", "refused: ENOEXEC", Verdict.DIFFERS, "elf.type"),),
)


def case(
    *changes: Change,
    trial: Trial = DIFFERS,
    program: str = "a program",
    role: Role = Role.PROGRAM,
    around: Surroundings | None = None,
) -> Case:
    return Case(program, 3, 17, role, around or Surroundings(), changes, trial, b"")


def test_a_mutant_is_one_line_that_ends_in_the_command_to_see_it_again() -> None:
    changed = Change("e_type", 16, b"\2\0", b"\1\0")
    assert case_line(case(changed), (), PLAIN) == (
        "X verdict: predicted runs, observed refused: ENOEXEC; e_type 0x2 -> 0x1;"
        " again: inspector fuzz 'a program' --seed 3 --first 17"
    )


def test_role_surroundings_and_options_are_named() -> None:
    options = ("--profile=a file", "--layout=3gb")
    around = Surroundings(stack_limit=4096)
    line = case_line(case(role=Role.INTERPRETER, around=around), options, PLAIN)
    assert line.startswith("X as a program's interpreter, stack limit 4096, verdict: ")
    assert line.endswith(" --first 17 '--profile=a file' --layout=3gb")


def test_one_that_agrees_says_in_what() -> None:
    findings = (
        Finding("execve", "verdict", "", "runs", "runs", Verdict.AGREES),
        Finding("exec", "VMAs", "", "9", "9", Verdict.AGREES),
        Finding("exec", "auxv", "", "", "22", Verdict.NOT_PREDICTED),
    )
    line = case_line(case(trial=Trial(Standing.AGREES, findings)), (), PLAIN)
    assert line.startswith("ok verdict runs, VMAs 9; ")


def test_one_that_cannot_be_judged_says_why() -> None:
    line = case_line(case(trial=Trial(Standing.NOT_MODELLED, reason="a thing")), (), PLAIN)
    assert line.startswith("? not modelled: a thing; ")


def test_what_broke_is_told() -> None:
    broken = Trial(Standing.BROKEN, reason="IndexError: out of range")
    assert "broke the prediction: IndexError: out of range" in case_line(case(trial=broken), (), PLAIN)


def test_many_fields_are_not_all_shown() -> None:
    many = [Change(f"bytes at {place:#x}", place, b"a", b"b") for place in range(20)]
    assert "bytes at 0x5 0x61 -> 0x62, and 14 more;" in case_line(case(*many), (), PLAIN)


def test_no_byte_of_a_file_reaches_the_terminal_as_it_is() -> None:
    changed = Change("interpreter", 16, b"/lib/ld.so\0", b"\x1b[31m\n\xff")
    line = case_line(case(changed, program="a\nb\x1b"), (), PLAIN)
    assert line.isprintable()


def test_what_was_not_judged_is_counted_by_name() -> None:
    tally = Tally(
        Counter({Standing.AGREES: 7, Standing.NOT_MODELLED: 3}),
        Counter({(Standing.NOT_MODELLED, "a"): 1, (Standing.NOT_MODELLED, "b"): 2}),
    )
    campaign = Campaign((Subject("hello", b""),), PROFILE, seed=5, first=2, count=10)
    assert (
        tally_text(campaign, tally)
        == "seed 5, 10 mutants from 2: 7 agree, 0 differ, 3 not modelled (b: 2, a: 1)"
    )
    assert tally.exit_code == 3


def test_what_agrees_is_counted_by_what_was_compared() -> None:
    aspects = "verdict, VMAs"
    tally = Tally(
        Counter({Standing.AGREES: 1}),
        Counter({(Standing.AGREES, aspects): 1}),
    )
    campaign = Campaign((Subject("hello", b""),), PROFILE, seed=5, first=2, count=1)
    assert list(tally_lines(campaign, tally)) == [
        "seed 5, 1 mutant from 2: 1 agree, 0 differ",
        "       1 in verdict, VMAs",
    ]


def test_the_gravest_decides_the_exit_code() -> None:
    def code(*standings: Standing) -> int:
        return Tally(Counter(standings)).exit_code

    assert code(Standing.AGREES) == 0
    assert code(Standing.AGREES, Standing.UNOBSERVED) == 3
    assert code(Standing.NOT_MODELLED, Standing.DIFFERS) == 1
    assert code(Standing.DIFFERS, Standing.BROKEN) == 4
