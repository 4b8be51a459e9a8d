"""The story as JSON: inspector.story/1. What is told is text; `verdict` says how a predicted value fared."""

from typing import TYPE_CHECKING, Literal

import msgspec

from inspector.model.document.codec import encode
from inspector.model.finding import Verdict

if TYPE_CHECKING:
    from inspector.story import Step, Story


class ToldJson(msgspec.Struct):
    """What the file says, or what was worked out."""

    label: str
    text: str


class ValueJson(msgspec.Struct):
    """Something predicted, beside what was observed; null: it was not."""

    label: str
    predicted: str
    observed: str | None
    verdict: Verdict
    rule: str | None


class NoteJson(msgspec.Struct):
    """Where the texts and this kernel differ."""

    texts: str
    here: str
    rule: str | None


class StepJson(msgspec.Struct):
    """One step; `rules` are ids of the catalogue."""

    number: int
    title: str
    text: str
    rules: list[str]
    told: list[ToldJson]
    values: list[ValueJson]
    notes: list[NoteJson]


class StoryJson(msgspec.Struct):
    """A whole story. `unobserved`: why nothing was observed; `ends`: why the program does not run."""

    program: str
    unobserved: str | None
    ends: str | None
    steps: list[StepJson]
    schema: Literal["inspector.story/1"] = "inspector.story/1"


def story_json(story: "Story") -> bytes:
    """Return `story` as one line of JSON."""
    steps = [step_json(number, step) for number, step in enumerate(story.steps, 1)]
    return encode(StoryJson(story.program, story.unobserved, story.ends, steps))


def step_json(number: int, step: "Step") -> StepJson:
    """Return one step."""
    return StepJson(
        number,
        step.title,
        step.text,
        list(step.rules),
        [ToldJson(each.label, each.text) for each in step.told],
        [
            ValueJson(each.label, each.predicted, each.observed, each.verdict, each.rule)
            for each in step.values
        ],
        [NoteJson(each.texts, each.here, each.rule) for each in step.notes],
    )
