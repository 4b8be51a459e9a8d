"""The answer sheet: written for a student, and read back as data. Nothing in it is ever executed.

    answers.toml    a table for each question: words under keys, or lines under `answer`; a loader's `command`
    answers.csv     question,row,answer; or with semicolons or tabs, as spreadsheets save it in some countries

A sheet as it was handed out answers nothing: every value in it is blank.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING

from inspector.errors import InspectorError
from inspector.lab.kinds import Loader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inspector.lab.exercise import Exercise
    from inspector.lab.kinds import Question
    from inspector.lab.variant import Variant

TOML_SHEET, CSV_SHEET = "answers.toml", "answers.csv"
LINES = "answer"
_MOST_DOTS = 200
"""In a line, wherever they stand: reading a key of n parts takes n steps for each of them."""
_MOST_WORDS = 64
_WIDTH = 100
_CSV_COLUMNS = ["question", "row", "answer"]


class BadSheet(InspectorError):
    """A sheet that cannot be read at all."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a sheet holds, by question: words under keys, where lines stand under `LINES`; and a command."""

    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    student: str | None = None
    notes: tuple[str, ...] = ()
    """What of it was not understood."""


def toml_sheet(exercise: Exercise, student: str, variant: Variant) -> str:
    """Return the sheet for a student, every answer blank."""
    lines = [f"# {exercise.title}", f"exercise = {_basic(exercise.name)}", f"student = {_basic(student)}"]
    for question in exercise.questions:
        lines += ["", *_comment(f"{question.ask.strip()} ({question.points} points)")]
        if given := question.given(variant):
            lines += _comment(f"Given: {given}")
        if form := question.form():
            lines += _comment(f"Write: {form}")
        lines.append(f"[{question.id}]")
        if isinstance(question, Loader):
            lines.append("command = []")
        elif keys := question.keys(variant):
            lines += [f"{_key(key)} = {_basic('')}" for key in keys]
        else:
            lines += [f'{LINES} = """', '"""']
    return "\n".join(lines) + "\n"


def csv_sheet(exercise: Exercise, variant: Variant) -> str:
    """Return the sheet as CSV; a question that lines answer has one row, to be copied for each line."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_CSV_COLUMNS)
    for question in exercise.questions:
        rows.writerows([question.id, key, ""] for key in question.keys(variant) or ("",))
    return text.getvalue()


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(" ".join(text.split()), _WIDTH)]


def _key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text, re.ASCII) else _basic(text)


def _basic(text: str) -> str:
    """Return a basic string of TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def read_sheet(name: str, data: bytes, exercise: Exercise) -> Written:
    """Return what the sheet `name` holds. Raises BadSheet where nothing can be made of it."""
    try:
        text = data.decode("utf-8-sig")
    except ValueError as error:
        raise BadSheet(f"{name} is not UTF-8 text", help="save it as UTF-8") from error
    return _from_csv(text, exercise) if name == CSV_SHEET else _from_toml(name, text, exercise)


def _from_toml(name: str, text: str, exercise: Exercise) -> Written:
    # At "\n" alone, which ends a key; a key in quotes may hold what splitlines() takes for an end.
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MOST_DOTS:
            raise BadSheet(f"{name}, line {number}: too many dots", help="keep the keys as they were")
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise BadSheet(f"{name} is nested too deeply", help="keep the tables as they were") from error
    except ValueError as error:
        raise BadSheet(
            f"{name} is not TOML: {' '.join(str(error).split())[:200]}", help="mend that line"
        ) from error
    student = document.pop("student", None)
    document.pop("exercise", None)
    known = {question.id: question for question in exercise.questions}
    notes = [f"{_short(key)} is no question" for key in document if key not in known][:20]
    answers: dict[str, dict[str, str]] = {}
    command: tuple[str, ...] = ()
    for key, table in document.items():
        if key not in known:
            continue
        if not isinstance(table, dict):
            notes.append(f"{key} is not a table of answers")
        elif isinstance(known[key], Loader):
            command = _command(table, notes)
        else:
            answers[key] = {each: _words(value) for each, value in table.items()}
    return Written(answers, command, student if isinstance(student, str) else None, tuple(notes))


def _command(table: dict[str, object], notes: list[str]) -> tuple[str, ...]:
    words = table.get("command", [])
    if (
        isinstance(words, list)
        and len(words) <= _MOST_WORDS
        and all(isinstance(word, str) and "\0" not in word for word in words)
    ):
        return tuple(map(str, words))
    notes.append("the command is not a list of words")
    return ()


def _words(value: object) -> str:
    """Return a value of TOML as words; numbers in hexadecimal, which every reader takes for what they are."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:#x}"
    if isinstance(value, list):
        return "\n".join(map(_words, value[:1000]))
    return value if isinstance(value, str) else f"({type(value).__name__})"


def _from_csv(text: str, exercise: Exercise) -> Written:
    known = {question.id: question for question in exercise.questions}
    answers: dict[str, dict[str, str]] = {}
    command: list[str] = []
    notes: list[str] = []
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text), delimiter=_delimiter(text)), 1):
            if not any(row) or row == _CSV_COLUMNS:
                continue
            if len(row) != len(_CSV_COLUMNS) or row[0] not in known:
                notes.append(f"row {number} names no question")
                continue
            question, key, answer = row
            if isinstance(known[question], Loader):
                command += [answer] * bool(answer)
                continue
            table = answers.setdefault(question, {})
            if key:
                if answer.strip() and table.get(key, "").strip():
                    notes.append(f"row {number} answers {_short(key)} again: the last one counts")
                table[key] = answer if answer.strip() else table.get(key, "")
            else:
                table[LINES] = f"{table[LINES]}\n{answer}" if LINES in table else answer
    except csv.Error as error:
        raise BadSheet(f"{CSV_SHEET} cannot be read: {error}", help="save it as CSV with commas") from error
    return Written(answers, tuple(command[:_MOST_WORDS]), None, tuple(notes[:20]))


def _delimiter(text: str) -> str:
    """Return what separates the columns of the first line, which names them; a comma if it does not."""
    first = text.partition("\n")[0].rstrip("\r").replace('"', "")
    return next((each for each in ";\t" if first == each.join(_CSV_COLUMNS)), ",")


def answer_words(question: Question, written: Mapping[str, str], variant: Variant) -> Mapping[str, str] | str:
    """Return what of a table answers the question: words under its keys, or lines."""
    if question.keys(variant):
        return {key: text for key, text in written.items() if key != LINES}
    return written.get(LINES, "")


def _short(key: str) -> str:
    return repr(key if len(key) <= 40 else f"{key[:40]}...")  # noqa: PLR2004 - what fits a line
