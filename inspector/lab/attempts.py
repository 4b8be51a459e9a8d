"""How often a student has tried each question, kept in the folder: hints are unlocked by it.

Only an answer that was not tried before counts. The file is the student's own, and so are the hints: whoever
edits it is only told sooner.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from inspector.errors import CannotSave
from inspector.lab.folder import BadSubmission, Folder
from inspector.model.saving import save_atomically

if TYPE_CHECKING:
    from inspector.lab.exercise import Exercise
    from inspector.lab.result import ResultJson
    from inspector.lab.sheet import Written

_FILE = ".attempts.json"
_LARGEST_BYTES = 1 << 20
_MOST = 1000


class AttemptsJson(msgspec.Struct):
    """By question, a hash of each answer that was tried and was not right."""

    tried: dict[str, list[str]] = {}


def unlocked_hints(
    directory: str, exercise: Exercise, written: Written, result: ResultJson
) -> dict[str, list[str]]:
    """Count this attempt and return the hints that are unlocked by now, by question."""
    attempts = _read(directory)
    hints: dict[str, list[str]] = {}
    questions = {question.id: question for question in exercise.questions}
    for outcome in result.questions:
        question = questions[outcome.id]
        tried = attempts.tried.setdefault(question.id, [])
        answer = written.answers.get(question.id, {})
        if (
            any(text.strip() for text in answer.values())
            and outcome.score is not None
            and not outcome.is_full
        ):
            digest = hashlib.sha256(repr(sorted(answer.items())).encode("utf-8", "replace")).hexdigest()[:16]
            if digest not in tried and len(tried) < _MOST:
                tried.append(digest)
        if outcome.score is not None and not outcome.is_full:
            hints[question.id] = [hint.text for hint in question.hints if len(tried) >= hint.after]
    with suppress(CannotSave):  # a folder that cannot be written to: then only this attempt counts
        save_atomically(os.fspath(Path(directory) / _FILE), msgspec.json.encode(attempts), durable=False)
    return hints


def _read(directory: str) -> AttemptsJson:
    try:
        data = Folder(directory).read(_FILE, _LARGEST_BYTES)
        return msgspec.json.decode(data or b"{}", type=AttemptsJson)
    except (BadSubmission, ValueError, RecursionError):
        return AttemptsJson()
