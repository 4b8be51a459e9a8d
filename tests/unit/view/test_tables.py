"""The way through the page tables, and the entry that a fault leaves."""

from __future__ import annotations

import pytest

from inspector.model.address import AddressRange, VirtAddr
from inspector.model.fault import Fault, FaultKind, FaultMode
from inspector.model.profile import PageTableGeometry
from inspector.model.vma import Access, Anonymous, Sharing, Vma
from inspector.view.tables import entry_of, level_names, new_tables, tables_for, tables_of, way_to
from tests.machines import I386, X86_64

RW = Access.READ | Access.WRITE


def fault(kind: FaultKind, *, access: Access = RW, sharing: Sharing = Sharing.PRIVATE) -> Fault:
    vma = Vma(AddressRange(VirtAddr(0x8048000), VirtAddr(0x804A000)), access, sharing, Anonymous())
    return Fault(
        0, FaultMode.USER, VirtAddr(0x8048123), Access.WRITE, protection=False, ip=None, kind=kind, area=vma
    )


def test_the_way_names_the_levels() -> None:
    assert list(map(str, way_to(0x8048123, X86_64))) == ["PGD[0]", "PUD[0]", "PMD[64]", "PTE[72]"]
    assert list(map(str, way_to(0x8048123, I386))) == ["PD[32]", "PT[72]"]
    assert level_names(PageTableGeometry("odd", (7, 13), 4)) == ("level 2", "level 1")


@pytest.mark.parametrize(
    ("kind", "sharing", "writable"),
    [
        (FaultKind.ANONYMOUS, Sharing.PRIVATE, True),
        (FaultKind.ZERO_PAGE, Sharing.PRIVATE, False),
        (FaultKind.FILE_READ, Sharing.PRIVATE, False),
        (FaultKind.FILE_READ, Sharing.SHARED, True),
        (FaultKind.COPY_ON_WRITE, Sharing.PRIVATE, True),
    ],
)
def test_a_page_that_is_not_the_process_s_own_may_not_be_written(
    kind: FaultKind, sharing: Sharing, writable: bool
) -> None:
    entry = entry_of(fault(kind, sharing=sharing), X86_64)
    assert entry is not None
    assert entry.writable is writable


def test_only_wide_entries_can_forbid_execution() -> None:
    wide, narrow = (entry_of(fault(FaultKind.ANONYMOUS), geometry) for geometry in (X86_64, I386))
    assert wide is not None
    assert wide.words == ("present", "user", "writable", "no-execute")
    assert narrow is not None
    assert narrow.words == ("present", "user", "writable")


def test_a_refused_fault_leaves_no_entry() -> None:
    assert entry_of(fault(FaultKind.REFUSED), X86_64) is None


def test_tables_are_new_until_they_are_there() -> None:
    first = fault(FaultKind.ANONYMOUS)
    assert new_tables(first, X86_64, ()) == ("PUD", "PMD", "PTE")
    assert new_tables(first, X86_64, tables_for(X86_64, [0x8040])) == ()
    assert new_tables(first, X86_64, tables_for(X86_64, [0x8400])) == ("PTE",)
    assert len(tables_of(I386, 0x8048)) == 1
