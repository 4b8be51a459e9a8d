"""The order of the story, and where it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.elf.script import MAX_REWRITES
from inspector.language import tr
from inspector.layout.views import load_bias
from inspector.model.prediction import Outcome
from inspector.rules import RULES
from inspector.story import Step, Story
from inspector.story.execve import (
    MOST_HEADERS,
    execve_step,
    fork_step,
    handler_step,
    header_step,
    program_headers_step,
    verdict_value,
)
from inspector.story.faults import end_step, fault_steps
from inspector.story.mapping import (
    address_space_step,
    bias_step,
    heap_step,
    interpreter_step,
    segment_step,
    stack_step,
    vdso_step,
)
from inspector.story.start import entry_step, initial_stack_step
from inspector.story.words import counted, joined, verdict_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.layout.views import ElfImage
    from inspector.story.evidence import Evidence

_BEFORE_READING = frozenset(
    {
        "exec.path",
        "exec.not-regular",
        "exec.no-permission",
        "exec.noexec-mount",
        "exec.open-for-writing",
        "exec.argument-too-long",
        "exec.arguments-too-big",
    }
)
"""Rules by which execve fails before it reads a byte of the file."""


def tell(evidence: Evidence, *, faults: int, unobserved: str | None) -> Story:
    """Return the story of a program's start with its first `faults` page faults.

    `unobserved` says why there is no observation; None: there is one.
    """
    return Story(
        evidence.prediction.program.requested,
        tuple(_steps(evidence, faults)),
        unobserved,
        _ends(evidence),
        evidence.prediction.not_modelled is None,
    )


def _ends(evidence: Evidence) -> str | None:
    """Say why the program does not run; None: it does."""
    verdict = evidence.prediction.verdict
    if verdict is None:
        limit = evidence.prediction.not_modelled
        return (
            tr("not modelled: {what}").format(what=limit.what) if limit is not None else tr("not predicted")
        )
    if verdict.outcome is Outcome.RUNS:
        return tr("a 64-bit program, which runs; its story is not told") if _is_native(evidence) else None
    rule = RULES.get(verdict.rule or "")
    if rule is None:
        return verdict_words(verdict)
    return tr("{verdict}, by rule {rule}: {statement}").format(
        verdict=verdict_words(verdict), rule=rule.id, statement=tr(rule.statement)
    )


def _steps(evidence: Evidence, faults: int) -> Iterator[Step]:
    yield fork_step()
    yield execve_step(evidence)
    verdict = evidence.prediction.verdict
    if not evidence.files or (verdict is not None and verdict.rule in _BEFORE_READING):
        yield _ending_step(evidence)
        return
    # Of scripts nested too deep the last file has been opened, but is not read: the depth is looked at first.
    asked = evidence.files[: 1 + MAX_REWRITES]
    for number, file in enumerate(asked):
        yield header_step(file, is_first=number == 0)
        yield handler_step(evidence, file, is_last=number == len(evidence.files) - 1)
    image = evidence.files[-1].image
    refused = verdict is None or verdict.outcome is Outcome.REFUSED
    if image is not None and not refused:
        yield program_headers_step(evidence, image)
        yield address_space_step(evidence)
    if image is None or evidence.at_exec is None:
        yield _ending_step(evidence)
        return
    yield from _process(evidence, image)
    told = list(fault_steps(evidence, faults))
    yield from told
    if evidence.prediction.faults is not None:
        yield end_step(evidence, len(told))


def _is_native(evidence: Evidence) -> bool:
    """Whether the program runs, and is none of 32 bits."""
    return evidence.at_exec is not None and evidence.files[-1].image is None


def _process(evidence: Evidence, image: ElfImage) -> Iterator[Step]:
    assert evidence.at_exec is not None  # noqa: S101 - the caller has looked
    bias = load_bias(image, evidence.at_exec)
    yield stack_step(evidence)
    yield from filter(None, (bias_step(evidence, image, bias),))
    for number in image.loads[:MOST_HEADERS]:
        yield segment_step(evidence, image, number, bias)
    more = len(image.loads) - MOST_HEADERS
    if more > 0:
        yield Step(
            "More of them",
            tr("{segments} more, each mapped the same way.").format(segments=counted(more, "PT_LOAD")),
        )
    yield from filter(None, (interpreter_step(evidence, image),))
    yield vdso_step(evidence)
    yield initial_stack_step(evidence)
    yield heap_step(evidence)
    yield entry_step(evidence, image)


def _ending_step(evidence: Evidence) -> Step:
    """Return the step in which the story ends before the program runs."""
    verdict = evidence.prediction.verdict
    if verdict is None:
        return Step("The story ends here", "What follows is not modelled, and nothing is guessed.")
    if _is_native(evidence):
        return Step(
            "The story ends here",
            "execve succeeds, and a 64-bit program starts. What it finds is told of i386 programs alone; its"
            " areas and pages are predicted all the same: inspector check --until exec.",
            values=(verdict_value(evidence, verdict),),
        )
    rule = RULES.get(verdict.rule or "")
    what = (
        tr("The old program is gone by now, so no one is there to be told: the process is killed.")
        if verdict.outcome is Outcome.KILLED
        else tr("execve returns an error, and the old program goes on.")
    )
    reason = () if rule is None else (tr(rule.statement), tr(rule.reason))
    return Step(
        "The story ends here",
        joined(what, *reason),
        () if rule is None else (rule.id,),
        values=(verdict_value(evidence, verdict),),
    )
