from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from inspector.model.address import AddressRange, VirtAddr, Vpn
from inspector.model.page import PageKind, PageState
from inspector.model.vma import Access, Anonymous, Sharing, Vma
from inspector.report.html.grids import CELLS, disjoint, grid_of, timeline_grid
from tests.golden.report import hello, scenes


def vma(start: int, end: int) -> Vma:
    return Vma(
        AddressRange(VirtAddr(start << 12), VirtAddr(end << 12)), Access.READ, Sharing.PRIVATE, Anonymous()
    )


spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 12)).map(lambda span: vma(span[0], span[0] + span[1])),
    max_size=12,
)


@given(spans)
def test_of_areas_over_each_other_the_first_one_counts(areas: list[Vma]) -> None:
    """Held against a map of pages."""
    owner: dict[int, int] = {}
    for number, area in enumerate(areas):
        for page in range(area.start >> 12, area.end >> 12):
            owner.setdefault(page, number)
    pieces = disjoint(areas)
    covered = {
        page: areas.index(area)
        for where, area in pieces
        for page in range(where.start >> 12, where.end >> 12)
    }
    assert {page: areas[number] for page, number in owner.items()} == {
        page: areas[number] for page, number in covered.items()
    }
    assert sum(where.size_bytes >> 12 for where, _ in pieces) == len(owner)
    assert [where.start for where, _ in pieces] == sorted(where.start for where, _ in pieces)


def test_a_page_that_one_side_has_alone_stands_out() -> None:
    pages = (*(hello.EXEC.pages or ()), PageState(Vpn(0x08049), PageKind.FILE))
    seen = replace(hello.EXEC, pages=tuple(sorted(pages, key=lambda page: page.vpn)))
    grid = grid_of(hello.EXEC, seen)
    (text,) = (area for area in grid if area["label"].startswith("08049000-080b7000"))
    assert text["runs"] == [CELLS.index("observed only"), 1, CELLS.index("absent"), 109]
    assert text["words"] == "1 observed only of 110 pages"


def test_an_area_of_terabytes_is_a_handful_of_numbers() -> None:
    huge = replace(hello.EXEC, vmas=(vma(16, 1 << 35),), pages=(PageState(Vpn(1 << 30), PageKind.FILE),))
    (area,) = grid_of(huge, huge)
    assert area["count"] == (1 << 35) - 16
    assert len(area["runs"]) == 6


def test_the_timeline_shows_the_areas_that_faults_fill_and_the_pages_before_the_first() -> None:
    prediction = scenes.faulting().prediction
    grid = timeline_grid(prediction, list(prediction.faults or ()))
    labels = [area["label"] for area in grid["areas"]]
    assert labels == [
        "08049000-080b7000 r-xp hello",
        "080e9000-080ee000 rw-p hello",
        "080ee000-080f1000 rw-p anonymous",
        "fffdd000-ffffe000 rw-p [stack]",
    ]
    # 080ed000 is there at exec by a fault of execve's own; the pages of the strings are not.
    assert grid["resident"][::2] == [0xFFFFC, 0xFFFFD]


def test_an_area_in_the_middle_of_what_one_fault_maps_is_shown() -> None:
    """A read maps pages around; mprotect makes three areas of them later."""
    whole = hello.VMAS[3]
    parts = [
        replace(whole, range=AddressRange(VirtAddr(start), VirtAddr(end)))
        for start, end in ((0x080E9000, 0x080EA000), (0x080EA000, 0x080EC000), (0x080EC000, 0x080EE000))
    ]
    fault = replace(hello.FAULTS[1], address=VirtAddr(0x080E9123), area=whole, mapped=whole.range)
    later = replace(hello.MAIN, vmas=(*hello.VMAS[:3], *parts, *hello.VMAS[4:]))
    grid = timeline_grid(replace(hello.PREDICTION, snapshots=(hello.EXEC, later)), [fault])
    assert [area["first"] for area in grid["areas"]][:3] == [0x080E9, 0x080EA, 0x080EC]
