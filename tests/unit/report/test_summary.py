from __future__ import annotations

from dataclasses import replace

from inspector.reconcile import reconcile
from inspector.report.summary import (
    Line,
    Standing,
    checked_line,
    line_text,
    name_width,
    predicted_line,
    total_text,
)
from inspector.report.terminal import Style
from tests.golden.report import hello, scenes

STYLE = Style()


def text(line: Line, width: int = 12) -> list[str]:
    return list(line_text(line, width, STYLE))


def test_a_program_that_agrees_says_how_much_was_compared() -> None:
    line = checked_line(scenes.agreeing())
    assert line.standing is Standing.AGREES
    assert text(line, 20) == ["✓ fixtures/build/hello  runs: 9 VMAs, 3 pages at exec"]


def test_memory_is_that_of_the_last_stop_and_page_faults_are_those_of_the_whole_run() -> None:
    detail = checked_line(scenes.faulting()).detail
    assert detail == "runs: 9 VMAs, 3 pages at exec; 8 faults"
    twice = (hello.EXEC, replace(hello.EXEC, checkpoint="main"))
    result = reconcile(
        replace(hello.PREDICTION, snapshots=twice), replace(hello.OBSERVATION, snapshots=twice)
    )
    assert checked_line(result).detail == "runs: 9 VMAs, 3 pages at main"


def test_a_program_compared_to_its_end_has_room_on_one_line() -> None:
    vmas, pages = hello.EXEC.vmas or (), hello.EXEC.pages or ()
    last = replace(hello.EXEC, checkpoint="exit", vmas=vmas + vmas[:2], pages=pages * 700)
    line = checked_line(
        reconcile(
            replace(hello.PREDICTION, snapshots=(hello.EXEC, last)),
            replace(hello.OBSERVATION, snapshots=(hello.EXEC, last)),
        )
    )
    assert line.detail == "runs: 11 VMAs, 2100 pages"
    assert len(text(replace(line, detail=f"{line.detail}; 2070 faults"), 36)) == 1


def test_a_program_that_differs_says_in_what() -> None:
    line = checked_line(scenes.differing())
    assert line.standing is Standing.DIFFERS
    assert line.detail.startswith("10 differences: VMAs, registers, stack bytes, auxv, pages")


def test_a_refusal_that_was_predicted_agrees() -> None:
    refused = scenes.refused()
    line = checked_line(refused)
    reason = "by exec.no-permission: The file's mode does not let the caller execute it."
    said = f"does not run (refused: EACCES) {reason}"
    assert (line.standing, line.detail) == (Standing.AGREES_NOT_RUN, said)
    assert predicted_line(refused.prediction).detail == said
    assert checked_line(scenes.wrongly_refused()).standing is Standing.DIFFERS


def test_what_is_not_modelled_is_neither_agreement_nor_difference() -> None:
    line = checked_line(scenes.not_modelled())
    assert (line.standing, line.detail) == (Standing.NOT_MODELLED, "not modelled: 64-bit program")


def test_a_prediction_alone_says_what_it_predicts() -> None:
    assert predicted_line(hello.PREDICTION).detail == "runs: 9 VMAs, 3 pages at exec"
    assert predicted_line(scenes.not_modelled().prediction).standing is Standing.NOT_MODELLED


def test_long_names_and_details_fit_the_line() -> None:
    shown = text(Line("/a/very/long/name/indeed", Standing.UNOBSERVED, "word " * 30), 12)
    assert shown[0].startswith("? /a/…e/indeed  word word")
    assert all(len(line) <= 80 for line in shown)
    assert all(line.startswith(" " * 16) for line in shown[1:])


def test_an_empty_name_is_visible() -> None:
    assert text(Line("", Standing.AGREES, "refused: ENOENT"), 2) == ["✓ ''  refused: ENOENT"]


def test_names_share_a_width_that_leaves_room_for_the_rest() -> None:
    assert name_width([("a", ()), ("bcd", ())], STYLE) == 3
    assert name_width([("x" * 200, ())], STYLE) == 36
    assert name_width([("", ())], STYLE) == 2
    assert name_width([("a", ("b c",))], STYLE) == 7


def test_runs_that_differ_in_their_last_argument_do_not_look_alike() -> None:
    demand, whole = (
        text(Line("no_overlay", Standing.AGREES, "runs", ("main A C D C B E", *more)), 24)
        for more in ((), ("whole",))
    )
    assert demand != whole


def test_a_programs_arguments_stand_behind_its_name_as_far_as_there_is_room() -> None:
    line = Line("a/pager", Standing.AGREES, "runs", ("fifo", "3", "1 2 3"))
    assert text(line, 22) == ["✓ a/pager fifo 3 '1 2 3'  runs"]
    assert text(line, 17) == ["✓ a/pager fi…1 2 3'  runs"]
    assert text(line, 8) == ["✓ a/pager   runs"]
    assert checked_line(scenes.agreeing()).arguments == ()


def test_the_total_always_counts_the_three_that_matter() -> None:
    assert total_text([]) == "0 agree, 0 differ, 0 could not be observed"
    standings = [Standing.AGREES] * 31 + [Standing.UNOBSERVED, Standing.NOT_MODELLED]
    assert total_text(standings) == "31 agree, 0 differ, 1 could not be observed, 1 not modelled"
    assert total_text([Standing.AGREES_NOT_RUN]).startswith("1 agree (1 does not run), 0 differ")
    standings += [Standing.AGREES_NOT_RUN] * 2
    assert total_text(standings).startswith("33 agree (2 do not run), 0 differ, 1 could")
    assert total_text([Standing.PREDICTED], predicted=True) == "1 predicted"
