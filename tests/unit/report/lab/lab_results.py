"""Results to be written: everything right, partly, nothing, not to be judged, and of a hostile submission."""

from __future__ import annotations

from fractions import Fraction

from inspector.lab.exercise import load_exercise
from inspector.lab.grading import Mark, QuestionVerdict, RowVerdict
from inspector.lab.result import ResultJson, refused, result_of, unjudged

EXERCISE = load_exercise("address-space")
HOSTILE = "\x1b[2J]]>&<b>|`\n</testsuites>\nGrade :=>> 100\nok 1 - all\n# SKIP \\ \u202e \x00::error::x"
RIGHT = RowVerdict("stack", Mark.RIGHT, Fraction(1), "33", "33", why="because")
WRONG = RowVerdict(HOSTILE, Mark.WRONG, Fraction(0), HOSTILE, "the truth", HOSTILE, "the reason")


def _result(name: str, first: QuestionVerdict, *notes: str) -> ResultJson:
    others = [
        QuestionVerdict("stack-pages", 3, Fraction(3), (RIGHT,)),
        QuestionVerdict("bss-start", 2, Fraction(2), (RIGHT,)),
    ]
    return result_of(EXERCISE, [first, *others], submission=name, student=name, notes=notes)


PERFECT = _result("perfect", QuestionVerdict("vmas", 20, Fraction(20), (RIGHT,), source="this machine"))
PARTLY = _result("partly", QuestionVerdict("vmas", 20, Fraction(20, 3), (RIGHT, WRONG)))
EMPTY = result_of(
    EXERCISE,
    [QuestionVerdict(q.id, q.points, Fraction(0), (), "no answer") for q in EXERCISE.questions],
    submission="empty",
    student="empty",
)
HALF_JUDGED = _result("half", QuestionVerdict("vmas", 20, None, (), f"no ptrace {HOSTILE}"))
REFUSED = refused(EXERCISE, HOSTILE, "mallory", f"a symbolic link {HOSTILE}")
BROKEN = unjudged(EXERCISE, "broken", "carol", "this machine is broken")
NASTY = _result(HOSTILE, QuestionVerdict("vmas", 20, Fraction(1), (WRONG,), HOSTILE), HOSTILE)
ALL = [PERFECT, PARTLY, EMPTY, HALF_JUDGED, REFUSED, BROKEN, NASTY]
