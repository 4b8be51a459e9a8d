"""What is counted of a program's memory at a stop, and what is not known."""

from __future__ import annotations

from dataclasses import replace

from inspector.loading import Loading, Ways, moments
from inspector.model.address import AddressRange, FileOffset, VirtAddr, Vpn
from inspector.model.page import PageKind, PageState
from inspector.model.registers import Registers
from inspector.model.snapshot import Snapshot
from inspector.model.vma import Access, Anonymous, Backing, FileBacking, Sharing, Special, Vma

FILE = FileBacking("/program", (0, 27), 7, FileOffset(0))


def area(first: int, pages: int, backing: Backing) -> Vma:
    span = AddressRange(VirtAddr(first << 12), VirtAddr(first + pages << 12))
    return Vma(span, Access.READ | Access.WRITE, Sharing.PRIVATE, backing)


def page(number: int, kind: PageKind) -> PageState:
    return PageState(Vpn(number), kind)


def registers(edx: int) -> Registers:
    return replace(Registers(*[0] * len(Registers.__dataclass_fields__)), edx=edx)


SNAPSHOT = Snapshot(
    "exec",
    registers(edx=1000),
    (
        area(0x10, 4, FILE),
        area(0x14, 2, Anonymous()),
        area(0x20, 2, FILE),
        area(0x30, 1, Special("[vdso]")),
    ),
    (
        page(0x10, PageKind.FILE),
        page(0x13, PageKind.ANONYMOUS),
        page(0x14, PageKind.ANONYMOUS),
        page(0x15, PageKind.ZERO),
        page(0x20, PageKind.ANONYMOUS),
        page(0x21, PageKind.FILE),
        page(0x30, PageKind.SPECIAL),
    ),
    minor_faults=6,
    major_faults=1,
    page_table_bytes=8192,
)


def test_pages_are_told_apart_by_where_they_came_from() -> None:
    (moment,) = moments([SNAPSHOT])
    assert (moment.file_pages, moment.copied_pages, moment.own_pages) == (2, 2, 1)
    assert moment.resident_pages == 7
    assert moment.brought_bytes == 4 * 4096
    assert (moment.minor_faults, moment.major_faults, moment.page_table_bytes) == (6, 1, 8192)


def test_what_is_read_counts_from_behind_its_call() -> None:
    names = ("exec", "syscall:read", "syscall:pread64", "syscall:write", "syscall:read#2", "exit")
    found = list(moments(replace(SNAPSHOT, checkpoint=name) for name in names))
    assert [moment.read_bytes for moment in found] == [0, 0, 1000, 2000, 2000, 3000]


def test_what_was_not_seen_is_not_counted() -> None:
    blind = replace(SNAPSHOT, pages=None, registers=None, checkpoint="syscall:read")
    first, second = moments([blind, SNAPSHOT])
    assert (first.resident_pages, first.file_pages, first.brought_bytes) == (None, None, None)
    assert (first.read_bytes, second.read_bytes) == (0, None)
    assert Loading((first, second), None).peak_pages == 7
    assert Loading((first,), None).peak_pages is None


def ways(predicted: Loading, observed: Loading | None, **others: str) -> Ways:
    return Ways("program", (), predicted, observed, **others)


def test_two_runs_differ_in_what_both_know() -> None:
    (moment,) = moments([SNAPSHOT])
    run = Loading((moment, moment), 10)
    assert not ways(run, run).differs
    assert not ways(run, None).differs
    assert ways(run, replace(run, traps=9)).differs
    assert not ways(run, replace(run, traps=None)).differs
    fewer = Loading((moment, replace(moment, own_pages=0)), 10)
    assert ways(run, fewer).differs
    blind = Loading((moment, replace(moment, own_pages=None)), 10)
    assert not ways(run, blind).differs
    assert ways(run, Loading((moment,), 10)).differs


def test_a_run_that_was_not_followed_to_its_end_differs_only_before() -> None:
    (moment,) = moments([SNAPSHOT])
    run, short = Loading((moment, moment), 10), Loading((moment,), 7)
    for partial in (ways(short, run, not_modelled="a call"), ways(run, short, unobserved="30 s")):
        assert partial.is_partial
        assert not partial.differs
    assert ways(short, Loading((replace(moment, minor_faults=0),), 7), not_modelled="a call").differs
