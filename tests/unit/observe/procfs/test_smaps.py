from __future__ import annotations

import pytest

from inspector.model.vma import Anonymous, VmFlag
from inspector.observe.procfs.maps import parse_maps
from inspector.observe.procfs.smaps import parse_smaps

HEAP = b"084d9000-084fb000 rw-p 00000000 00:00 0                                  [heap]\n"
STACK = b"ffee3000-fff04000 rw-p 00000000 00:00 0                                  [stack]\n"
CAPITAL_FILE = b"f7000000-f7001000 r--p 00000000 fe:00 3                                  /Rss: 4 kB\n"
FIELDS = (
    b"Size:                136 kB\nRss:                   8 kB\nReferenced:            4 kB\n"
    b"Anonymous:             8 kB\nTHPeligible:           1\nProtectionKey:         0\n"
)


def test_every_area_has_its_fields_and_flags() -> None:
    heap, stack = parse_smaps(
        HEAP + FIELDS + b"VmFlags: rd wr mr mw me ac \n" + STACK + FIELDS + b"VmFlags: rd wr gd ac \n"
    )
    assert heap.vma.backing == Anonymous("[heap]")
    assert heap.vma.flags is VmFlag.ACCOUNT
    assert stack.vma.flags == VmFlag.GROWSDOWN | VmFlag.ACCOUNT
    assert heap.fields == {
        "Size": 136 * 1024,
        "Rss": 8192,
        "Referenced": 4096,
        "Anonymous": 8192,
        "THPeligible": 1,
        "ProtectionKey": 0,
    }


def test_flags_without_ours_are_none_of_them() -> None:
    (area,) = parse_smaps(HEAP + FIELDS + b"VmFlags: rd mr \n")
    assert area.vma.flags is VmFlag.NONE


def test_flags_the_kernel_did_not_print_were_not_seen() -> None:
    (area,) = parse_smaps(HEAP + FIELDS)
    assert area.vma.flags is None


def test_a_file_named_like_a_field_is_a_header() -> None:
    areas = parse_smaps(CAPITAL_FILE + FIELDS + HEAP + FIELDS)
    assert [area.vma for area in areas] == list(parse_maps(CAPITAL_FILE + HEAP))


def test_nothing_is_no_areas() -> None:
    assert parse_smaps(b"") == ()


@pytest.mark.parametrize("line", [b"Rss\n", b"Rss:\n", b"Rss: many kB\n"])
def test_another_form_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"smaps|invalid literal"):
        parse_smaps(HEAP + line)


def test_fields_without_an_area_are_refused() -> None:
    with pytest.raises(ValueError, match="not a line of /proc/PID/maps"):
        parse_smaps(FIELDS)
