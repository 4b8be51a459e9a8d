"""The frames behind resident pages, and who maps them: the same type whether predicted or observed.

Which number a frame has differs from run to run. What does not is which pages are in the same one: each page
names the first that is in its frame, process by process and in ascending order.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from inspector.model.address import PAGE_SIZE, FileOffset, Vpn

if TYPE_CHECKING:
    from collections.abc import Iterable


class FrameOwner(enum.Enum):
    """Whose frame it is."""

    PAGE_CACHE = "page cache"
    """A file's: everybody who maps or reads that page of the file is given it."""
    SHARED_MEMORY = "shared memory"
    """MAP_SHARED memory without a file, or a memfd: of all who map it, also after a write."""
    ZERO = "zero page"
    """The kernel's page of zeros, for memory that was only read."""
    PRIVATE = "private"
    """Anonymous, and mapped once."""
    COPY_ON_WRITE = "copy on write"
    """Anonymous, and mapped by several processes since fork, until they write."""
    KERNEL = "kernel"
    """A page of the kernel's own, such as the vdso's code."""


class PagePlace(NamedTuple):
    """One page of one process."""

    process: int
    """0: the program; 1, 2...: those it has forked that are alive, in order of birth, each before its own."""
    vpn: Vpn


@dataclass(frozen=True, slots=True)
class FrameRun:
    """Consecutive pages of one process whose frames are alike."""

    process: int
    """As in PagePlace."""
    start: Vpn
    count: int
    owner: FrameOwner | None
    """None: the observer could not tell."""
    file: str | None = None
    """The path of the file whose page it is, as maps prints it; only of PAGE_CACHE and SHARED_MEMORY."""
    offset: FileOffset | None = None
    """Where in the file the first page lies, in bytes; the others follow."""
    mapped: int | None = None
    """How many page-table entries of all processes map each. None: not counted, or not told."""
    or_more: bool = False
    """Whether processes that are no one's business here may map it too, so that `mapped` is the least."""
    same_as: PagePlace | None = None
    """The first page in the same frame as the first of these, if it is not that itself; the others follow.

    Always None of the zero page, which is one frame for all.
    """

    def part(self, first: int, count: int) -> FrameRun:
        """Return `count` of its pages, from its page `first` on."""
        offset, place = self.offset, self.same_as
        return replace(
            self,
            start=Vpn(self.start + first),
            count=count,
            offset=None if offset is None else FileOffset(offset + first * PAGE_SIZE),
            same_as=None if place is None else PagePlace(place.process, Vpn(place.vpn + first)),
        )


class FramePage(NamedTuple):
    """One page and its frame, as a wing finds it."""

    process: int
    vpn: Vpn
    frame: int
    """By its number in this machine, real or simulated, which goes no further."""
    owner: FrameOwner | None
    file: str | None = None
    offset: FileOffset | None = None
    mapped: int | None = None
    or_more: bool = False


def frame_runs(pages: Iterable[FramePage]) -> tuple[FrameRun, ...]:
    """Return `pages`, in ascending order process by process, as the longest runs there are."""
    first: dict[int, PagePlace] = {}
    runs: list[FrameRun] = []
    head: FramePage | None = None
    head_place: PagePlace | None = None
    count = 0
    for page in pages:
        place = None
        if page.owner is not FrameOwner.ZERO and page.mapped != 1:  # what is mapped once has no company
            here = PagePlace(page.process, page.vpn)
            place = first.setdefault(page.frame, here)
            place = None if place == here else place
        if head is not None:
            if _follows(head, count, page) and _follows_place(head_place, count, place):
                count += 1
                continue
            runs.append(_run(head, head_place, count))
        head, head_place, count = page, place, 1
    if head is not None:
        runs.append(_run(head, head_place, count))
    return tuple(runs)


def _follows(head: FramePage, count: int, page: FramePage) -> bool:
    """Whether `page` goes on the run of `count` pages that `head` begins, by all but its frame."""
    return (
        page.vpn == head.vpn + count
        and page.process == head.process
        and page.owner is head.owner
        and page.mapped == head.mapped
        and page.file == head.file
        and page.or_more == head.or_more
        and page.offset == (None if head.offset is None else head.offset + count * PAGE_SIZE)
    )


def _follows_place(head: PagePlace | None, count: int, place: PagePlace | None) -> bool:
    if head is None or place is None:
        return head is place
    return place == (head.process, head.vpn + count)


def _run(head: FramePage, place: PagePlace | None, count: int) -> FrameRun:
    process, vpn, _, owner, file, offset, mapped, or_more = head
    return FrameRun(process, vpn, count, owner, file, offset, mapped, or_more, place)
