"""Whatever a lab is handed in: sheets, manifests, a loader's output; and exercises that teachers write."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from inspector.errors import InspectorError
from inspector.lab.assess import assess
from inspector.lab.evidence import Evidence
from inspector.lab.exercise import load_exercise, parse_exercise
from inspector.lab.folder import ManifestJson
from inspector.lab.kinds import Loader
from inspector.lab.result import result_of
from inspector.lab.sheet import csv_sheet, read_sheet, toml_sheet
from inspector.report.lab.actions import actions
from inspector.report.lab.gradescope import gradescope
from inspector.report.lab.junit import junit
from inspector.report.lab.table import check_document
from inspector.report.lab.tap import tap
from inspector.report.lab.vpl import vpl
from tests.lab_sheets import variant_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.lab.exercise import Exercise
    from inspector.lab.variant import Variant
    from inspector.report.document import Document

_EXERCISES = ("overlay", "replacement", "page-tables", "two-views")
"""Those whose truth needs no machine."""
_SHEETS, _OF_LINES = len(_EXERCISES) * 2, ("address-space", "first-page-fault", "resident-pages")


@cache
def _exercise(name: str) -> tuple[Exercise, Variant]:
    exercise = load_exercise(name)
    return exercise, variant_of(exercise, "fuzz")


def handed_in(data: bytes) -> Document | None:
    """Read bytes, the first of which says as what; return a report of a sheet that could be graded."""
    kind, rest = (data[0] if data else 0) % (_SHEETS + 4), data[1:]
    with suppress(InspectorError):
        if kind < _SHEETS:
            return _graded(_EXERCISES[kind // 2], "answers.csv" if kind % 2 else "answers.toml", rest)
        if kind == _SHEETS:
            parse_exercise(rest, "fuzz")
        elif kind == _SHEETS + 1:
            with suppress(ValueError, RecursionError):
                msgspec.json.decode(rest, type=ManifestJson)
        elif kind == _SHEETS + 2:
            Loader(id="l", ask="?", points=1).read_output("f", rest.decode("utf-8", "replace"))
        else:
            for name in _OF_LINES:
                for question in _exercise(name)[0].questions:
                    question.read_lines(rest.decode("utf-8", "replace"))
    return None


def _graded(name: str, sheet: str, data: bytes) -> Document:
    exercise, variant = _exercise(name)
    written = read_sheet(sheet, data, exercise)
    verdicts, notes = assess(exercise, variant, written, Evidence([]))
    for verdict in verdicts:
        if verdict.earned is not None and not 0 <= verdict.earned <= verdict.points:
            raise AssertionError(f"{verdict.id} earned {verdict.earned} of {verdict.points}")
    result = result_of(exercise, verdicts, submission="fuzz", student="fuzz", notes=[*written.notes, *notes])
    result.document()
    for text in (gradescope(result), vpl(result), junit([result]), tap([result]), actions([result])):
        text.encode()
    return check_document(result, {}, truth=True)


def seeds() -> Iterator[bytes]:
    """Yield sheets as they are handed out, filled in a little, and one of everything else."""
    for number, name in enumerate(_EXERCISES):
        exercise, variant = _exercise(name)
        blank = toml_sheet(exercise, "fuzz", variant).encode()
        yield bytes([number * 2]) + blank
        yield bytes([number * 2]) + blank.replace(b'""', b'"0x280"')
        yield bytes([number * 2 + 1]) + csv_sheet(exercise, variant).encode().replace(b",\n", b",fault 3\n")
    yield bytes([_SHEETS]) + b'schema = "inspector.exercise/1"\nname = "x"\n[variant]\ngenerator = "pages"\n'
    yield bytes([_SHEETS + 1]) + b'{"schema":"inspector.lab/1","exercise":"x","student":"y","variant":"z"}'
    yield bytes([_SHEETS + 2]) + b'{"vmas": [{"start": "0x8048000", "end": 1, "perms": "r-xp"}]}'
    yield bytes([_SHEETS + 2]) + b"08048000-08049000 r-xp 00000000 00:00 0 prog\nrefused: ENOEXEC\n"
    yield bytes([_SHEETS + 3]) + b"08048000-08049000 r-xp 0 prog\n0x8049000 write\n0x8049000-0x804b000 # x\n"
