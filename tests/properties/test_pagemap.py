"""pagemap: decoding against a dictionary of what was encoded."""

from __future__ import annotations

import struct
from typing import TypedDict

from hypothesis import given
from hypothesis import strategies as st

from inspector.model.address import VirtAddr
from inspector.observe.procfs.pagemap import PagemapEntry, parse_pagemap, present_runs


class Page(TypedDict):
    flags: dict[str, bool]
    frame: int


BITS = {
    "present": 63,
    "swapped": 62,
    "file_or_shared": 61,
    "guard": 58,
    "write_protected": 57,
    "exclusive": 56,
    "soft_dirty": 55,
}
pages = st.fixed_dictionaries(
    {
        "flags": st.fixed_dictionaries(dict.fromkeys(BITS, st.booleans())),
        "frame": st.just(0) | st.integers(0, (1 << 55) - 1),
    }
)
address_spaces = st.dictionaries(st.integers(0, 40), pages, max_size=12)
starts = st.integers(0, 1 << 51).map(lambda page: VirtAddr(page << 12))


def _encode(page: Page) -> int:
    return page["frame"] | sum(1 << bit for name, bit in BITS.items() if page["flags"][name])


def _encode_all(space: dict[int, Page]) -> bytes:
    return b"".join(struct.pack("<Q", _encode(space[at]) if at in space else 0) for at in range(41))


@given(address_spaces, starts)
def test_every_entry_decodes_to_what_was_encoded(space: dict[int, Page], start: VirtAddr) -> None:
    decoded = list(parse_pagemap(_encode_all(space), start))
    assert [entry.vpn for entry in decoded] == [(start >> 12) + at for at in range(41)]
    for at, entry in enumerate(decoded):
        page = space.get(at)
        if page is None:
            assert entry == PagemapEntry(entry.vpn, False, False, False, False, False, None)
            continue
        for name in ("present", "swapped", "file_or_shared", "exclusive", "soft_dirty"):
            assert getattr(entry, name) is page["flags"][name]
        assert entry.pfn == ((page["frame"] or None) if page["flags"]["present"] else None)


@given(address_spaces, starts)
def test_runs_are_the_present_pages_longest_first_to_last(space: dict[int, Page], start: VirtAddr) -> None:
    data = _encode_all(space)
    runs = list(present_runs(data, start))
    found = {(at - start >> 12) + i for at, entries in runs for i in range(len(entries) // 8)}
    assert found == {at for at, page in space.items() if page["flags"]["present"]}
    ends = [at + (len(entries) // 8 << 12) for at, entries in runs]
    assert all(end < following for end, (following, _) in zip(ends, runs[1:], strict=False))
    for at, entries in runs:
        offset = (at - start >> 12) * 8
        assert entries == data[offset : offset + len(entries)]
