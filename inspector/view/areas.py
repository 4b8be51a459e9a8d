"""An address space as a map: areas in order, each with its kind, and the gaps between them."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from inspector.model.address import AddressRange, VirtAddr
from inspector.model.vma import Access, Anonymous, FileBacking, Special

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.model.vma import Vma


class AreaKind(enum.Enum):
    """What an area is for, as people name it; the kernel only knows permissions and backing."""

    CODE = "code"
    """A file's bytes that may be executed, and not be written."""
    DATA = "data"
    """A file's bytes that may be written, be it to a copy."""
    READ_ONLY = "read-only data"
    HEAP = "heap"
    """What brk gives."""
    STACK = "stack"
    """The stack that execve makes; others are anonymous memory to the kernel."""
    VDSO = "vdso"
    """The kernel's own: [vdso] and the data that it reads, [vvar]."""
    ANONYMOUS = "anonymous"
    """Memory without a file: the pages of .bss, a large malloc, a thread's stack."""
    NO_ACCESS = "no access"
    """Nothing may touch it: a guard, or the room that a loader reserves between segments."""


_LABELLED = {"[heap]": AreaKind.HEAP, "[stack]": AreaKind.STACK}


def kind_of(vma: Vma) -> AreaKind:
    """Return what an area is for.

    A file's area that may be both written and executed is data: what may change is no more than that.
    """
    match vma.backing:
        case Special():
            return AreaKind.VDSO
        case Anonymous(label=label) if label in _LABELLED:
            return _LABELLED[label]
        case _ if vma.access is Access.NONE:
            return AreaKind.NO_ACCESS
        case FileBacking(is_shared_memory=False):
            return _kind_of_file(vma.access)
    return AreaKind.ANONYMOUS


def _kind_of_file(access: Access) -> AreaKind:
    if Access.WRITE in access:
        return AreaKind.DATA
    return AreaKind.CODE if Access.EXECUTE in access else AreaKind.READ_ONLY


@dataclass(frozen=True, slots=True)
class Area:
    """An area of either side, or of both where it begins at the same address."""

    predicted: Vma | None
    observed: Vma | None
    """Invariant: at least one of the two is there."""

    @property
    def either(self) -> Vma:
        """The observed area, or the predicted one where none was observed."""
        vma = self.observed or self.predicted
        assert vma is not None  # noqa: S101 - the invariant
        return vma

    @property
    def start(self) -> VirtAddr:
        """First address, of both sides."""
        return self.either.start

    @property
    def end(self) -> VirtAddr:
        """First address past the area, of the longer side."""
        return max(vma.end for vma in (self.predicted, self.observed) if vma is not None)

    @property
    def kind(self) -> AreaKind:
        """What it is for."""
        return kind_of(self.either)


@dataclass(frozen=True, slots=True)
class Gap:
    """Addresses that are in no area: to touch them is a fault without an answer."""

    range: AddressRange


def areas_of(predicted: Sequence[Vma] | None, observed: Sequence[Vma] | None) -> tuple[Area, ...]:
    """Return the areas of both sides in ascending order, paired by where they begin.

    None: that side is not known.
    """
    mine = {vma.start: vma for vma in predicted or ()}
    seen = {vma.start: vma for vma in observed or ()}
    return tuple(Area(mine.get(start), seen.get(start)) for start in sorted(mine.keys() | seen.keys()))


def with_gaps(areas: Sequence[Area], end: int | None = None) -> tuple[Area | Gap, ...]:
    """Return `areas` with the gaps below and between them; and above, up to `end` of the user's space."""
    return tuple(_with_gaps(areas, end))


def _with_gaps(areas: Sequence[Area], end: int | None) -> Iterator[Area | Gap]:
    reached = 0
    for area in areas:
        if area.start > reached:
            yield Gap(AddressRange(VirtAddr(reached), area.start))
        yield area
        reached = max(reached, area.end)
    if end is not None and end > reached:
        yield Gap(AddressRange(VirtAddr(reached), VirtAddr(end)))


def bss_of(areas: Sequence[Area]) -> frozenset[VirtAddr]:
    """Return where anonymous areas begin that go on where a file's data end: the zero pages of .bss."""
    return frozenset(
        after.start
        for before, after in pairwise(areas)
        if before.kind is AreaKind.DATA and after.kind is AreaKind.ANONYMOUS and before.end == after.start
    )
