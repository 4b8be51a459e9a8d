"""maps: printing and reading are each other's inverse."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from inspector.model.address import AddressRange, FileOffset, VirtAddr
from inspector.model.vma import Access, Anonymous, FileBacking, Sharing, Special, Vma
from inspector.observe.procfs.maps import format_maps, parse_maps

PAGES_64 = 1 << 52

# Any byte a file name can hold, with the troublesome ones made frequent. A name that really contains the
# four characters \012 is what the kernel's own format cannot express.
path_pieces = st.sampled_from(
    [b" ", b"\n", b"\\", b"\\01", b" (deleted)", b"[heap]", b"\xff", b"/", b"\r", b"\x0b"]
)
path_bytes = st.lists(path_pieces | st.binary(min_size=1, max_size=8), max_size=8).map(b"".join)
paths = (
    path_bytes.map(lambda name: b"/" + name.replace(b"\0", b""))
    .filter(lambda path: rb"\012" not in path)
    .map(os.fsdecode)
)
# mm/madvise.c:is_valid_name_char()
labels = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="\\`$[]"), max_size=79
)
files = st.builds(
    FileBacking,
    path=paths,
    device=st.tuples(st.integers(0, (1 << 12) - 1), st.integers(0, (1 << 20) - 1)),
    inode=st.integers(0, (1 << 64) - 1),
    offset=st.integers(0, PAGES_64 - 1).map(lambda page: FileOffset(page << 12)),
)
shared_labels = st.builds(
    FileBacking,
    path=labels.map(lambda label: f"[anon_shmem:{label}]"),
    device=st.just((0, 1)),
    inode=st.integers(1, (1 << 64) - 1),
    offset=st.just(FileOffset(0)),
)
anonymous = st.builds(
    Anonymous, st.sampled_from(["", "[heap]", "[stack]"]) | labels.map(lambda label: f"[anon:{label}]")
)
special = st.builds(
    Special, st.sampled_from(["[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]", "[uprobes]", "[sigpage]"])
)


@st.composite
def ranges(draw: st.DrawFn) -> AddressRange:
    start = draw(st.integers(0, (1 << 20) - 2) | st.integers(0, PAGES_64 - 2))
    pages = draw(st.integers(1, min(1 << 20, PAGES_64 - 1 - start)))
    return AddressRange(VirtAddr(start << 12), VirtAddr((start + pages) << 12))


vmas = st.builds(
    Vma,
    range=ranges(),
    access=st.integers(0, 7).map(Access),
    sharing=st.sampled_from(Sharing),
    backing=files | shared_labels | anonymous | special,
    flags=st.none(),
)


@given(st.lists(vmas, max_size=5).map(tuple), st.sampled_from([4, 8]))
def test_what_is_printed_is_read_back(areas: tuple[Vma, ...], kernel_word_bytes: int) -> None:
    data = format_maps(areas, kernel_word_bytes=kernel_word_bytes)
    assert data.count(b"\n") == len(areas)
    assert parse_maps(data) == areas


@given(st.lists(vmas, max_size=5), st.sampled_from([4, 8]), path_bytes)
def test_what_is_read_is_printed_again_byte_for_byte(
    areas: list[Vma], kernel_word_bytes: int, name: bytes
) -> None:
    # A literal \012 in the bytes, which reads as a newline, comes back as well.
    data = format_maps(areas, kernel_word_bytes=kernel_word_bytes)
    ambiguous = data.replace(b" /", b" /\\012" + name.replace(b"\0", b"").replace(b"\n", b"\\012"))
    for text in (data, ambiguous):
        assert format_maps(parse_maps(text), kernel_word_bytes=kernel_word_bytes) == text
