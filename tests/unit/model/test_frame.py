"""Pages and their frames as runs: what goes together, and which page stands for a frame."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inspector.model.address import FileOffset, Vpn
from inspector.model.frame import FrameOwner, FramePage, FrameRun, PagePlace, frame_runs

PRIVATE, COPY, CACHE, ZERO = (
    FrameOwner.PRIVATE,
    FrameOwner.COPY_ON_WRITE,
    FrameOwner.PAGE_CACHE,
    FrameOwner.ZERO,
)


def page(process: int, vpn: int, frame: int, owner: FrameOwner, mapped: int | None = 2) -> FramePage:
    return FramePage(process, Vpn(vpn), frame, owner, mapped=mapped)


def test_what_is_in_the_frame_of_an_earlier_page_names_it() -> None:
    parent = [page(0, vpn, 900 + vpn, COPY) for vpn in (1, 2, 3)]
    child = [page(1, 1, 901, COPY), page(1, 2, 77, PRIVATE, 1), page(1, 3, 903, COPY)]
    assert frame_runs([*parent, *child]) == (
        FrameRun(0, Vpn(1), 3, COPY, mapped=2),
        FrameRun(1, Vpn(1), 1, COPY, mapped=2, same_as=PagePlace(0, Vpn(1))),
        FrameRun(1, Vpn(2), 1, PRIVATE, mapped=1),
        FrameRun(1, Vpn(3), 1, COPY, mapped=2, same_as=PagePlace(0, Vpn(3))),
    )


def test_frames_that_are_swapped_do_not_make_a_run() -> None:
    parent = [page(0, vpn, 900 + vpn, COPY) for vpn in (1, 2)]
    child = [page(1, 1, 902, COPY), page(1, 2, 901, COPY)]
    places = [run.same_as for run in frame_runs([*parent, *child])]
    assert places == [None, PagePlace(0, Vpn(2)), PagePlace(0, Vpn(1))]


def test_a_run_of_a_file_is_one_of_its_consecutive_pages() -> None:
    offsets = (0, 0x1000, 0x5000)
    pages = [FramePage(0, Vpn(n), n, CACHE, "/f", FileOffset(at), 1) for n, at in enumerate(offsets)]
    assert [(run.count, run.offset) for run in frame_runs(pages)] == [(2, 0), (1, 0x5000)]


def test_the_zero_page_is_one_frame_for_all_and_says_so_of_none() -> None:
    pages = [page(process, 5, 0, ZERO, None) for process in (0, 1)]
    assert [run.same_as for run in frame_runs(pages)] == [None, None]


_places = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), unique=True, max_size=40).map(sorted)


@given(_places, st.data())
def test_runs_hold_what_the_pages_say(places: list[tuple[int, int]], data: st.DataObject) -> None:
    numbers = data.draw(
        st.lists(st.integers(0, 5), min_size=len(places), max_size=len(places)), label="frames"
    )
    pages = [page(process, vpn, frame, COPY) for (process, vpn), frame in zip(places, numbers, strict=True)]
    singles = [run.part(number, 1) for run in frame_runs(pages) for number in range(run.count)]
    assert [(each.process, each.start) for each in singles] == places
    first: dict[int, tuple[int, int]] = {}
    for place, frame, each in zip(places, numbers, singles, strict=True):
        expected = first.setdefault(frame, place)
        assert each.same_as == (None if expected == place else expected)
