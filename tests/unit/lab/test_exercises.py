"""Exercises as data: the published schema, the ready ones, and what is refused in words."""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from inspector.errors import BadDocument, UsageError
from inspector.lab.exercise import (
    ORDER,
    exercise_schema,
    load_exercise,
    parse_exercise,
    ready_names,
)
from inspector.lab.kinds import AnyQuestion
from tests.unit.lab.schema_subset import complaints

if TYPE_CHECKING:
    from pathlib import Path

READY = resources.files("inspector.lab") / "ready"
SCHEMA = json.loads((resources.files("inspector.lab") / "exercise.schema.json").read_text(encoding="utf-8"))

SMALL = """
schema = "inspector.exercise/1"
name = "small"
title = "Small"
follows = "The texts"
text = "Do it."
teacher = "They will."
[variant]
generator = "touches"
[[questions]]
id = "a"
kind = "vma-list"
ask = "Which areas?"
points = 1
"""


def test_the_published_schema_is_that_of_the_code() -> None:
    assert json.loads(json.dumps(exercise_schema())) == SCHEMA


def test_there_are_twelve_and_each_follows_the_schema() -> None:
    assert tuple(ready_names()) == ORDER
    assert len(ORDER) == 12
    for name in ORDER:
        document = tomllib.loads((READY / f"{name}.toml").read_text(encoding="utf-8"))
        assert complaints(document, SCHEMA, SCHEMA) == [], name


def test_each_has_a_note_for_teachers_and_reasons_for_students() -> None:
    for name in ORDER:
        exercise = load_exercise(name)
        assert exercise.name == name
        assert len(exercise.teacher.split()) > 20, name
        assert "Time:" in exercise.teacher, name
        assert all(question.why for question in exercise.questions), name


def test_every_kind_of_question_has_a_ready_exercise() -> None:
    kinds = {kind.__struct_config__.tag for kind in AnyQuestion.__args__}
    used = {type(q).__struct_config__.tag for name in ORDER for q in load_exercise(name).questions}
    assert used == kinds


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"inspector.exercise/1"', '"inspector.exercise/9"', "inspector.exercise/9"),
        ('kind = "vma-list"', 'kind = "riddle"', "riddle"),
        ("points = 1", "points = 0", "`int` >= 1"),
        ("points = 1", "points = 1\ncolour = 3", "colour"),
        ('"touches"', '"overlay"', "is about a program"),
        ("points = 1", 'points = 1\nneeds = ["b"]', "needs 'b', which does not come before it"),
        (
            "points = 1",
            'points = 1\n[[questions]]\nid = "a"\nkind = "vma-list"\nask = "?"\npoints = 1',
            "two questions",
        ),
        (
            'kind = "vma-list"',
            'kind = "vma-field"\narea = "nowhere"\nfield = "end"',
            "'nowhere', which the variant",
        ),
        (
            'kind = "vma-list"',
            'kind = "replacement-table"\npolicy = "fifo"\nframes = 3',
            "'references', which",
        ),
        ('id = "a"', 'id = "student"', "in the way"),
        ('id = "a"', 'id = "a\\n"', "matching regex"),
        ('kind = "vma-list"', 'kind = "stack-values"\nvalues = []', "length >= 1"),
        ('kind = "vma-list"', 'kind = "stack-values"\nvalues = ["sp", "AT_ENTYR"]', "matching regex"),
        ('kind = "vma-list"', 'kind = "stack-values"\nvalues = ["sp", "sp"]', "names 'sp' twice"),
        ('kind = "vma-list"', 'kind = "illegal-access"\nparts = []', "length >= 1"),
        ('kind = "vma-list"', 'kind = "illegal-access"\nparts = ["code", "code"]', "names 'code' twice"),
        ('kind = "vma-list"', 'kind = "page-table-cost"\nprocesses = 0', "`int` >= 1"),
        ('name = "small"', "name = [[[[", "Invalid"),
        ('name = "small"', f"name = {'[' * 5000}", "nested too deeply"),
    ],
)
def test_what_is_wrong_with_an_exercise_is_said_in_one_line(old: str, new: str, said: str) -> None:
    with pytest.raises(BadDocument) as caught:
        parse_exercise(SMALL.replace(old, new).encode(), "mine.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("mine.toml: ")
    assert "\n" not in str(caught.value)
    assert caught.value.help


def test_the_schema_refuses_what_the_reader_refuses() -> None:
    document = tomllib.loads(SMALL)
    assert complaints(document, SCHEMA, SCHEMA) == []
    changes: list[dict[str, object]] = [
        {"name": "Not a name"},
        {"questions": []},
        {"extra": 1},
        {"seconds": 0},
    ]
    for change in changes:
        assert complaints({**document, **change}, SCHEMA, SCHEMA), change


def test_an_exercise_of_ones_own_is_named_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SMALL)
    assert load_exercise(str(file)).name == "small"
    with pytest.raises(UsageError, match="there is no exercise 'riddles'"):
        load_exercise("riddles")
    with pytest.raises(BadDocument):
        load_exercise(str(tmp_path / "none.toml"))
