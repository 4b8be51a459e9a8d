"""Why an address is in no area, and what happens when it is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.explain.words import MOST_FAULTS, answered, area_name, area_values
from inspector.language import N_, tr
from inspector.model.address import page_up
from inspector.rules import find_rule
from inspector.story import Step, Told
from inspector.story.words import area_words

if TYPE_CHECKING:
    from inspector.explain import Explanation
    from inspector.model.vma import Vma


def nothing_step(found: Explanation) -> Step:
    """Return by which rule there is no area, and the nearest ones."""
    first = find_rule(found.rules[0])
    told = [Told("because", f"{first.id}{tr(': ')}{tr(first.statement)}")]
    if found.below is not None:
        before = found.address - found.below.end
        words = tr("{area}, ends {count:#x} bytes before") if before else tr("{area}, ends right before it")
        told.append(Told("next below", words.format(area=_words(found.below), count=before)))
    if found.above is not None:
        behind = found.above.start - found.address
        told.append(
            Told(
                "next above",
                tr("{area}, begins {count:#x} bytes behind").format(area=_words(found.above), count=behind),
            )
        )
    told += [
        Told(
            "meanwhile",
            tr("page fault {number} found {area}, gone since").format(
                number=each.number, area=_words(each.fault.area)
            ),
        )
        for each in found.faults[:1]
        if each.fault.area is not None
    ]
    return Step(
        "In no area",
        "At no stop is there an area that holds it.",
        found.rules,
        tuple(told),
        tuple(area_values(found)),
    )


def _words(area: Vma) -> str:
    return f"{area_words(area)} {area_name(area)}"


def touch_nothing_step(found: Explanation) -> Step:
    """Return what a touch does: a signal, or a stack that grows."""
    faults = found.faults[:MOST_FAULTS]
    told = [Told("it was", answered(each)) for each in faults]
    if found.stack_may_grow:
        told.append(Told("the program", tr("a page fault, and the stack is extended down to it")))
    else:
        told += [
            Told("the program", tr("SIGSEGV, si_code 1 (SEGV_MAPERR), si_addr the address")),
            Told("a system call", tr("no signal: it returns EFAULT")),
        ]
    if found.stack_floor is not None:
        told.append(Told("the stack", _stack_words(found, found.stack_floor)))
    return Step(
        "What happens when it is touched",
        N_("The page fault finds the stack above, which grows down.")
        if found.stack_may_grow
        else N_("The page fault finds no area."),
        ("fault.stack-growth" if found.stack_may_grow else "fault.refused",),
        tuple(told),
    )


def _stack_words(found: Explanation, floor: int) -> str:
    """Return how far down the stack, the next area above, may grow."""
    assert found.above is not None  # noqa: S101 - it is the stack
    if floor == page_up(max(found.above.end - found.stack_limit, 0)):
        return tr("grows down to {floor:#x} at most: its limit is {limit:#x} bytes (RLIMIT_STACK)").format(
            floor=floor, limit=found.stack_limit
        )
    return tr("grows down to {floor:#x} at most: it keeps the guard gap to the next area below").format(
        floor=floor
    )
