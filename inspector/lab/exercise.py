"""Exercises as data: TOML of a published form (exercise.schema.json), and what no schema says checked.

An exercise has a title, a text for students, a note for teachers, one generator of files and numbers, and
questions. Everything else follows: no exercise holds code.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from importlib import resources
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from inspector.errors import BadDocument, UsageError
from inspector.lab.kinds import AnyQuestion, Loader
from inspector.lab.kinds.areas import VmaField
from inspector.lab.kinds.base import Name, Text
from inspector.lab.kinds.faults import FirstFault
from inspector.lab.needs import Needs
from inspector.lab.programs import AnyGenerator
from inspector.lab.programs.given import Given
from inspector.model.saving import read_document

SCHEMA = "inspector.exercise/1"
HEAD = ("exercise", "student")
"""What stands in a sheet before its questions."""
_FORM = "docs/lab-teachers.md tells how an exercise is written"
_SUFFIX = ".toml"
_LARGEST_BYTES = 1 << 20


class Exercise(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One exercise. `follows` names the chapter of the texts; `seconds` bounds the run of each file."""

    schema: Literal["inspector.exercise/1"]
    name: Name
    title: Text
    follows: Text
    text: Text
    teacher: Text
    variant: AnyGenerator
    questions: Annotated[tuple[AnyQuestion, ...], Meta(min_length=1, max_length=100)]
    seconds: Annotated[float, Meta(gt=0, le=600)] = 30.0

    @property
    def points(self) -> int:
        """What can be earned in all."""
        return sum(question.points for question in self.questions)

    @property
    def loader(self) -> Loader | None:
        """The question that is answered by a command, if there is one."""
        return next((each for each in self.questions if isinstance(each, Loader)), None)

    @property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """The questions that each one needs."""
        return {question.id: question.needs for question in self.questions}


def parse_exercise(data: bytes, source: str) -> Exercise:
    """Return the exercise that TOML describes. Raises BadDocument, in words about `source`."""
    try:
        exercise = msgspec.convert(tomllib.loads(data.decode()), Exercise)
    except RecursionError as error:
        raise BadDocument(f"{source}: nested too deeply", help=_FORM) from error
    except ValueError as error:
        raise BadDocument(f"{source}: {_one_line(error)}", help=_FORM) from error
    _check(exercise, source)
    return exercise


def _one_line(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))[:300]


def _check(exercise: Exercise, source: str) -> None:
    """Raise BadDocument for what the types cannot express."""
    known: list[str] = []
    for question in exercise.questions:
        if question.id in known:
            raise BadDocument(f"{source}: two questions are named {question.id!r}", help=_FORM)
        if question.id in HEAD:
            raise BadDocument(
                f"{source}: a question named {question.id!r} is in the way of the sheet's own line",
                help=f"{', '.join(HEAD)} stand at its head: choose another name",
            )
        if twice := [name for name, count in Counter(question.listed()).items() if count > 1]:
            raise BadDocument(f"{source}: question {question.id!r} names {twice[0]!r} twice", help=_FORM)
        if missing := [name for name in question.needs if name not in known]:
            raise BadDocument(
                f"{source}: question {question.id!r} needs {missing[0]!r}, which does not come before it",
                help="put it first, or mend the name",
            )
        gives = exercise.variant.gives()
        if question.evidence is not Needs.NOTHING and not gives & {"files", "several files"}:
            raise BadDocument(
                f"{source}: question {question.id!r} is about a program, and the variant has none",
                help="choose another generator for [variant]",
            )
        for needed in _inputs(question):
            if needed not in gives:
                raise BadDocument(
                    f"{source}: question {question.id!r} needs {needed!r}, which the variant does not give",
                    help=f"it gives {', '.join(sorted(gives))}",
                )
        known.append(question.id)


def _inputs(question: AnyQuestion) -> tuple[str, ...]:
    """Return what of a variant a question is about, by the words that generators use (`gives`)."""
    kind = question.__struct_config__.tag
    if isinstance(question, FirstFault):
        return question.pages
    if isinstance(question, VmaField) and not question.area.startswith("["):
        return (question.area,)
    if isinstance(question, Loader):
        return ("several files",)
    return {
        "overlay-addresses": ("tree",),
        "overlay-loads": ("tree",),
        "replacement-table": ("references",),
        "execve-verdict": ("several files",),
        "sections-to-segments": ("sections",),
    }.get(str(kind), ("pages",) if getattr(question, "of", ()) else ())


def load_exercise(name: str) -> Exercise:
    """Return a ready exercise by its name, or the one in a file whose path is given. Raises UsageError."""
    if name in ready_names():
        file = resources.files("inspector.lab") / "ready" / f"{name}{_SUFFIX}"
        return parse_exercise(file.read_bytes(), name)
    if "/" not in name and not name.endswith(_SUFFIX):
        raise UsageError(
            f"there is no exercise {name!r}", help="see `inspector lab list`, or give a FILE.toml"
        )
    data = read_document(name)
    if len(data) > _LARGEST_BYTES:
        raise BadDocument(f"{name}: larger than any exercise", help=_FORM)
    return _from_its_folder(parse_exercise(data, name), os.path.dirname(name))  # noqa: PTH120 - any bytes


def _from_its_folder(exercise: Exercise, directory: str) -> Exercise:
    """Return the exercise with the path of its own program leading there from where we stand."""
    if not isinstance(exercise.variant, Given):
        return exercise
    path = os.path.join(directory, exercise.variant.path)  # noqa: PTH118
    return msgspec.structs.replace(exercise, variant=msgspec.structs.replace(exercise.variant, path=path))


def ready_names() -> list[str]:
    """Return the names of the exercises that come with inspector, in the order of the texts."""
    names = [
        each.name.removesuffix(_SUFFIX)
        for each in (resources.files("inspector.lab") / "ready").iterdir()
        if each.name.endswith(_SUFFIX)
    ]
    return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


ORDER = (
    "two-views",
    "address-space",
    "heap-and-stack",
    "first-page-fault",
    "resident-pages",
    "initial-stack",
    "page-tables",
    "illegal-access",
    "execve-verdict",
    "overlay",
    "replacement",
    "loader",
)
"""The ready exercises in the order of the texts."""


def exercise_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an exercise."""
    schema = msgspec.json.schema(Exercise)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA, **_on_one_line(schema)}


def _on_one_line(tree: Any) -> Any:  # noqa: ANN401 - it is JSON
    if isinstance(tree, dict):
        return {key: _on_one_line(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return list(map(_on_one_line, tree))
    return re.sub(r"\s*\n\s*", " ", tree) if isinstance(tree, str) else tree
