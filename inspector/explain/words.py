"""Words that more than one step of an explanation needs: of areas, of page faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.language import N_, tr
from inspector.model.address import PAGE_SIZE
from inspector.model.fault import FaultMode
from inspector.model.vma import Access, FileBacking
from inspector.story import Value
from inspector.story.faults import WORDS_OF_KINDS
from inspector.story.words import area_words, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.explain import Explanation, NumberedFault
    from inspector.model.fault import Fault
    from inspector.model.vma import Vma

ABSENT = N_("absent")
ACCESSES = ((Access.READ, N_("read")), (Access.WRITE, N_("write")), (Access.EXECUTE, N_("execute")))
MOST_FAULTS = 8
"""How many on one page are told."""
_ACCESS_WORDS = dict(ACCESSES)


def area_name(vma: Vma) -> str:
    """Return the last part of a file's path, or what else it is called."""
    name = vma.name.rpartition("/")[2] if isinstance(vma.backing, FileBacking) else vma.name
    return name or tr("anonymous memory")


def area_values(found: Explanation) -> Iterator[Value]:
    """Yield the area at each stop, predicted and observed."""
    for stop in found.stops:
        mine = tr(ABSENT) if stop.predicted_area is None else area_words(stop.predicted_area)
        other = tr(ABSENT) if stop.observed_area is None else area_words(stop.observed_area)
        label = tr("area at {stop}").format(stop=stop.checkpoint)
        yield Value(label, mine, other if stop.areas_observed else None)


def fault_words(each: NumberedFault) -> str:
    """Return which page fault it was, and of whom."""
    fault = each.fault
    if fault.mode is FaultMode.KERNEL:
        who = tr("the kernel")
    elif fault.symbol or fault.ip is None:
        who = fault.symbol or tr("the program")
    else:
        who = tr("the instruction at {address:#x}").format(address=fault.ip)
    if fault.access is None:
        return tr("page fault {number}, of {address:#x} by {who}").format(
            number=each.number, address=fault.address, who=who
        )
    return tr("page fault {number}, {access} of {address:#x} by {who}").format(
        number=each.number, access=tr(_ACCESS_WORDS[fault.access]), address=fault.address, who=who
    )


def answered(each: NumberedFault) -> str:
    """Return the same, and what the kernel did."""
    return tr("by {fault}: {done}").format(fault=fault_words(each), done=_done(each.fault))


def _done(fault: Fault) -> str:
    if fault.kind is None:
        return tr("no one knows how it was answered")
    words = tr(WORDS_OF_KINDS[fault.kind])
    words = words[0].lower() + words[1:]
    pages = 1 if fault.mapped is None else fault.mapped.size_bytes // PAGE_SIZE
    if pages == 1:
        return words
    return tr("{done}, with {pages} around it").format(done=words, pages=counted(pages - 1, "page"))
