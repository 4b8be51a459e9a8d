from __future__ import annotations

import pytest

from inspector.model.address import AddressRange, FileOffset, VirtAddr
from inspector.model.vma import Access, Anonymous, FileBacking, Sharing, Special, Vma
from inspector.observe.procfs.maps import format_maps, parse_maps

# One case a line, both ways: what a 64-bit kernel prints, and what it means.
CASES = [
    (
        b"08048000-08049000 r--p 00000000 fe:00 2148666                            /home/me/hello\n",
        (0x8048000, 0x8049000, "r--p", FileBacking("/home/me/hello", (0xFE, 0), 2148666, FileOffset(0))),
    ),
    (
        b"080ee000-080f1000 rw-p 00000000 00:00 0 \n",
        (0x80EE000, 0x80F1000, "rw-p", Anonymous()),
    ),
    (
        b"084d9000-084fb000 rw-p 00000000 00:00 0                                  [heap]\n",
        (0x84D9000, 0x84FB000, "rw-p", Anonymous("[heap]")),
    ),
    (
        b"f7fc4000-f7fc8000 r--p 00000000 00:00 0                                  [vvar]\n",
        (0xF7FC4000, 0xF7FC8000, "r--p", Special("[vvar]")),
    ),
    (
        b"ffee3000-fff04000 rw-p 00000000 00:00 0                                  [stack]\n",
        (0xFFEE3000, 0xFFF04000, "rw-p", Anonymous("[stack]")),
    ),
    (
        b"7f1234567000-7f1234568000 rw-p 00000000 00:00 0                          [anon:a b]\n",
        (0x7F1234567000, 0x7F1234568000, "rw-p", Anonymous("[anon:a b]")),
    ),
    (
        b"7f1234567000-7f1234568000 rw-s 00001000 00:01 1027                       [anon_shmem:x]\n",
        (
            0x7F1234567000,
            0x7F1234568000,
            "rw-s",
            FileBacking("[anon_shmem:x]", (0, 1), 1027, FileOffset(0x1000)),
        ),
    ),
    (
        b"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n",
        (0xFFFFFFFFFF600000, 0xFFFFFFFFFF601000, "--xp", Special("[vsyscall]")),
    ),
    (
        b"f7fca000-f7fcc000 rwxs 1234567000 103:1ff 18446744073709551615           /a  b\\012c\\ (deleted)\n",
        (
            0xF7FCA000,
            0xF7FCC000,
            "rwxs",
            FileBacking("/a  b\nc\\ (deleted)", (0x103, 0x1FF), (1 << 64) - 1, FileOffset(0x1234567000)),
        ),
    ),
    (
        b"f7fca000-f7fcc000 rw-s 00000000 00:0f 1057                               anon_inode:[perf_event]\n",
        (
            0xF7FCA000,
            0xF7FCC000,
            "rw-s",
            FileBacking("anon_inode:[perf_event]", (0, 15), 1057, FileOffset(0)),
        ),
    ),
    (
        b"f7fca000-f7fcc000 rw-p 00000000 00:2a 7                                  /\xff\r\x0b\xc3\xa9 \n",
        (0xF7FCA000, 0xF7FCC000, "rw-p", FileBacking("/\udcff\r\x0bé ", (0, 42), 7, FileOffset(0))),
    ),
]


def _vma(start: int, end: int, perms: str, backing: FileBacking | Anonymous | Special) -> Vma:
    access = Access.NONE
    for letter, flag in (("r", Access.READ), ("w", Access.WRITE), ("x", Access.EXECUTE)):
        if letter in perms:
            access |= flag
    return Vma(AddressRange(VirtAddr(start), VirtAddr(end)), access, Sharing(perms[3]), backing)


@pytest.mark.parametrize(
    ("line", "expected"), CASES, ids=[case[0].split()[-1].decode("latin-1") for case in CASES]
)
def test_a_line_means_its_area_and_the_area_prints_the_line(
    line: bytes, expected: tuple[int, int, str, FileBacking | Anonymous | Special]
) -> None:
    vma = _vma(*expected)
    assert parse_maps(line) == (vma,)
    assert format_maps([vma]) == line


def test_areas_keep_their_order() -> None:
    data = b"".join(line for line, _ in CASES)
    assert [vma.start for vma in parse_maps(data)] == [start for _, (start, *_) in CASES]
    assert format_maps(parse_maps(data)) == data


def test_no_lines_are_no_areas() -> None:
    assert parse_maps(b"") == ()
    assert format_maps([]) == b""


def test_a_32_bit_kernel_names_in_an_earlier_column() -> None:
    line = b"084d9000-084fb000 rw-p 00000000 00:00 0          [heap]\n"
    assert format_maps(parse_maps(line), kernel_word_bytes=4) == line


def test_a_prefix_past_the_column_still_leaves_two_blanks() -> None:
    # seq_pad() adds a blank of its own after the padding.
    backing = FileBacking("/x", (0xFE, 0), (1 << 64) - 1, FileOffset(0xFFFFFFFFFFFFF000))
    line = format_maps([_vma(0x7F1234567000, 0x7F1234568000, "r--p", backing)])
    assert line.endswith(b" 18446744073709551615  /x\n")
    assert parse_maps(line)[0].backing == backing


@pytest.mark.parametrize(
    "line",
    [
        b"08048000-08049000 r--p",
        b"08048000 r--p 00000000 fe:00 1 /x",
        b"08048000-08049000 rq-p 00000000 fe:00 1 /x",
        b"08048000-08049000 r--p 00000000 fe:00 minus /x",
        b"08048001-08049000 r--p 00000000 fe:00 1 /x",
        b"08049000-08048000 r--p 00000000 fe:00 1 /x",
        b"Rss: 4 kB",
    ],
)
def test_another_form_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a"):
        parse_maps(line + b"\n")
