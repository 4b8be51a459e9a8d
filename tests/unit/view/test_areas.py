"""The map: kinds of areas, sides paired, gaps."""

from __future__ import annotations

import pytest

from inspector.model.address import AddressRange, FileOffset, VirtAddr
from inspector.model.vma import SHMEM_DEVICE, Access, Anonymous, Backing, FileBacking, Sharing, Special, Vma
from inspector.view.areas import Area, AreaKind, Gap, areas_of, bss_of, kind_of, with_gaps

R, W, X = Access.READ, Access.WRITE, Access.EXECUTE
FILE = FileBacking("/bin/it", (8, 1), 7, FileOffset(0))
MEMFD = FileBacking("/memfd:frames (deleted)", SHMEM_DEVICE, 7, FileOffset(0))


def vma(start: int, end: int, access: Access = R, backing: Backing = FILE) -> Vma:
    return Vma(AddressRange(VirtAddr(start), VirtAddr(end)), access, Sharing.PRIVATE, backing)


@pytest.mark.parametrize(
    ("access", "backing", "kind"),
    [
        (R | X, FILE, AreaKind.CODE),
        (R, FILE, AreaKind.READ_ONLY),
        (R | W, FILE, AreaKind.DATA),
        (R | W | X, FILE, AreaKind.DATA),
        (Access.NONE, FILE, AreaKind.NO_ACCESS),
        (R | W, MEMFD, AreaKind.ANONYMOUS),
        (R | W, Anonymous(), AreaKind.ANONYMOUS),
        (Access.NONE, Anonymous(), AreaKind.NO_ACCESS),
        (R | W, Anonymous("[heap]"), AreaKind.HEAP),
        (R | W | X, Anonymous("[stack]"), AreaKind.STACK),
        (R | X, Special("[vdso]"), AreaKind.VDSO),
        (R, Special("[vvar]"), AreaKind.VDSO),
    ],
)
def test_an_area_is_of_the_kind_that_people_name(access: Access, backing: Backing, kind: AreaKind) -> None:
    assert kind_of(vma(0x1000, 0x2000, access, backing)) is kind


def test_the_sides_are_paired_by_where_an_area_begins() -> None:
    low, long, high = vma(0x1000, 0x2000), vma(0x1000, 0x3000), vma(0x5000, 0x6000)
    both, alone = areas_of([low], [long, high])
    assert (both.predicted, both.observed, both.end) == (low, long, 0x3000)
    assert (alone.predicted, alone.observed, alone.either) == (None, high, high)


def test_gaps_lie_below_between_and_above_the_areas() -> None:
    areas = areas_of([vma(0x1000, 0x2000), vma(0x2000, 0x3000), vma(0x5000, 0x6000)], None)
    shown = with_gaps(areas, end=0x8000)
    assert [(each.range.start, each.range.end) for each in shown if isinstance(each, Gap)] == [
        (0, 0x1000),
        (0x3000, 0x5000),
        (0x6000, 0x8000),
    ]
    assert [each for each in shown if isinstance(each, Area)] == list(areas)
    assert not any(isinstance(each, Gap) for each in with_gaps(areas)[-1:])


def test_zero_pages_that_go_on_where_data_end_are_bss() -> None:
    data, bss = vma(0x1000, 0x2000, R | W), vma(0x2000, 0x4000, R | W, Anonymous())
    mapped = vma(0x8000, 0x9000, R | W, Anonymous())
    assert bss_of(areas_of([data, bss, mapped], None)) == {0x2000}
