"""The chapter told on the reader's own program: how a file becomes a process, step by step.

A step says what the kernel does, what follows from the file and from arithmetic, and what was predicted
beside what was observed. Where the texts that the story follows and this kernel differ, a note says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from inspector.model.finding import Verdict


@dataclass(frozen=True, slots=True)
class Told:
    """Something that the file says, or that is worked out before the reader's eyes."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Value:
    """Something predicted, beside what was observed of it."""

    label: str
    predicted: str
    observed: str | None
    """None: not observed."""
    rule: str | None = None
    """Id of the rule by which the two may differ; None: they may not."""

    @property
    def verdict(self) -> Verdict:
        """How the prediction fared."""
        if self.observed is None:
            return Verdict.UNOBSERVED
        if self.predicted == self.observed:
            return Verdict.AGREES
        return Verdict.DIFFERS if self.rule is None else Verdict.EXPLAINED


@dataclass(frozen=True, slots=True)
class Note:
    """A word where this kernel does otherwise than the texts say."""

    texts: str
    """What the texts say."""
    here: str
    """What this kernel does."""
    rule: str | None = None
    """Id of the rule that tells more."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the story."""

    title: str
    text: str
    """One or more sentences."""
    rules: tuple[str, ...] = ()
    """Ids of the rules that it follows."""
    told: tuple[Told, ...] = ()
    values: tuple[Value, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """All steps, in order, to where the program runs or the story ends."""

    program: str
    """As the user named it."""
    steps: tuple[Step, ...]
    unobserved: str | None
    """Why nothing was observed. None: it was."""
    ends: str | None
    """Why the story ends before the program runs. None: it does not."""
    is_whole: bool
    """Whether the prediction goes to the program's end."""

    @property
    def differs(self) -> bool:
        """Whether some predicted value is not the observed one, and no rule says why."""
        return any(value.verdict is Verdict.DIFFERS for step in self.steps for value in step.values)


__all__ = ["Note", "Step", "Story", "Told", "Value"]
