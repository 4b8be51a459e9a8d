"""Which areas merge and which anon_vma they get, where no program at exec can show it yet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inspector.model.address import PAGE_SIZE, AddressRange, VirtAddr
from inspector.model.profile import AnonVmaMerging
from inspector.model.vma import Access, Anonymous, Sharing, Special, VmFlag
from inspector.predict.kernel.vma import AnonVma, MappedFile, VmArea, merge_range, prepare_anon_vma
from tests.machines import Zeros

RW = Access.READ | Access.WRITE
FILE = MappedFile("/file", (8, 1), 7, 1 << 20, Zeros())


def area(
    first: int, last: int, *anon_vmas: AnonVma, origin: MappedFile | Anonymous | Special = FILE
) -> VmArea:
    """Return an area of the pages `first` to `last`, each at its own place in the file."""
    span = AddressRange(VirtAddr(first * PAGE_SIZE), VirtAddr((last + 1) * PAGE_SIZE))
    return VmArea(span, RW, VmFlag.ACCOUNT, origin, first, anon_vmas=anon_vmas)


def pages(area: VmArea) -> tuple[int, int]:
    return area.start // PAGE_SIZE, area.end // PAGE_SIZE - 1


A, B = AnonVma(), AnonVma()


@pytest.mark.parametrize(
    ("below", "above", "merged"),
    [
        ((), (), (1, 3)),
        ((A,), (), (1, 3)),
        ((), (A,), (1, 3)),
        ((A,), (A,), (1, 3)),
        ((A,), (B,), (1, 2)),
        # Pages inherited by fork keep an area as it is.
        ((A, B), (), (2, 3)),
        ((), (A, B), (1, 2)),
        ((A, B), (A, B), (2, 2)),
    ],
)
def test_a_new_area_joins_what_its_neighbours_anon_vmas_allow(
    below: tuple[AnonVma, ...], above: tuple[AnonVma, ...], merged: tuple[int, int]
) -> None:
    low, high = area(1, 1, *below), area(3, 3, *above)
    new, with_below, with_above = merge_range(low, area(2, 2), high, just_expand=False)
    assert pages(new) == merged
    assert (with_below, with_above) == (merged[0] == 1, merged[1] == 3)
    kept = {
        anon_vma for side, joined in ((below, with_below), (above, with_above)) if joined for anon_vma in side
    }
    assert set(new.anon_vmas) == kept


@pytest.mark.parametrize(
    ("merging", "below", "new", "above", "merged"),
    [
        # A mapping in a gap, new as it is.
        (AnonVmaMerging.NEIGHBOURS, (A,), (), (B,), (1, 2)),
        (AnonVmaMerging.NEIGHBOURS, (), (), (A,), (1, 3)),
        (AnonVmaMerging.NEIGHBOURS, (), (), (), (1, 3)),
        (AnonVmaMerging.ABOVE_FIRST, (A,), (), (B,), (2, 3)),
        (AnonVmaMerging.ABOVE_FIRST, (), (), (A,), (2, 3)),
        (AnonVmaMerging.ABOVE_FIRST, (A,), (), (A,), (1, 3)),
        (AnonVmaMerging.ABOVE_FIRST, (A,), (), (), (1, 3)),
        (AnonVmaMerging.ABOVE_FIRST, (), (), (), (1, 3)),
        # An area that was written before it changed.
        (AnonVmaMerging.EITHER, (), (A,), (), (1, 3)),
        (AnonVmaMerging.NEIGHBOURS, (), (A,), (), (2, 2)),
        (AnonVmaMerging.NEIGHBOURS, (A,), (A,), (), (1, 2)),
        (AnonVmaMerging.ABOVE_FIRST, (), (A,), (A,), (2, 3)),
    ],
)
def test_older_kernels_let_less_become_one(
    merging: AnonVmaMerging,
    below: tuple[AnonVma, ...],
    new: tuple[AnonVma, ...],
    above: tuple[AnonVma, ...],
    merged: tuple[int, int],
) -> None:
    got, *_ = merge_range(area(1, 1, *below), area(2, 2, *new), area(3, 3, *above), merging, is_mapping=True)
    assert pages(got) == merged


@pytest.mark.parametrize(
    "change",
    [
        {"access": Access.READ},
        {"flags": VmFlag.NONE},
        {"sharing": Sharing.SHARED},
        {"page_offset": 3},
        {"origin": MappedFile(FILE.path, FILE.device, FILE.inode, FILE.size, Zeros())},
        {"origin": Anonymous()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_areas_that_differ_stay_apart(change: dict[str, object]) -> None:
    new = replace(area(2, 2), **change)  # type: ignore[arg-type]
    assert merge_range(area(1, 1), new, area(3, 3), just_expand=False) == (new, False, False)


def test_special_areas_stay_apart_even_if_they_are_alike() -> None:
    special = Special("[vvar]")
    new = area(2, 2, origin=special)
    neighbours = area(1, 1, origin=special), area(3, 3, origin=special)
    assert merge_range(neighbours[0], new, neighbours[1], just_expand=False) == (new, False, False)


def test_memory_added_by_brk_leaves_the_area_above_alone() -> None:
    new, with_below, with_above = merge_range(area(1, 1), area(2, 2), area(3, 3), just_expand=True)
    assert (pages(new), with_below, with_above) == ((1, 2), True, False)


@pytest.mark.parametrize(
    ("below", "above", "shared"),
    [
        ((A,), (B,), B),
        ((A,), (), A),
        ((A, B), (), None),
        ((), (A, B), None),
        ((A,), (A, B), A),
        ((), (), None),
    ],
)
def test_the_area_above_lends_its_anon_vma_first(
    below: tuple[AnonVma, ...], above: tuple[AnonVma, ...], shared: AnonVma | None
) -> None:
    neighbours = (
        replace(area(1, 1, *below), access=Access.READ),
        replace(area(3, 3, *above), access=RW | Access.EXECUTE),
    )
    ready = prepare_anon_vma(neighbours[0], area(2, 2), neighbours[1])
    assert ready.anon_vma is not None
    assert (ready.anon_vma is shared) == (shared is not None)
    assert ready.anon_vma in {A, B} or shared is None
    assert prepare_anon_vma(None, ready, None) is ready


def test_split_parts_share_the_anon_vma_and_merge_again() -> None:
    whole = area(1, 3, A)
    low, high = whole.split(VirtAddr(2 * PAGE_SIZE))
    assert (pages(low), pages(high), high.page_offset) == ((1, 1), (2, 3), 2)
    middle, top = high.split(VirtAddr(3 * PAGE_SIZE))
    again, *_ = merge_range(low, replace(middle, anon_vmas=()), top, just_expand=False)
    assert again == whole
