from __future__ import annotations

import struct

import pytest

from inspector.model.auxv import AuxEntry, AuxType
from inspector.observe.procfs.auxv import parse_auxv

ENTRIES = (
    AuxEntry(AuxType.AT_SYSINFO, 0xF7FCA550),
    AuxEntry(AuxType.AT_PAGESZ, 4096),
    AuxEntry(AuxType.AT_BASE, 0),
    AuxEntry(4711, 0xFFFFFFFF),
)


@pytest.mark.parametrize(("word_bytes", "code"), [(4, "<II"), (8, "<QQ")])
@pytest.mark.parametrize("after", [0, 1, 7])
def test_entries_end_at_at_null_whatever_follows(word_bytes: int, code: str, after: int) -> None:
    data = b"".join(struct.pack(code, entry.type, entry.value) for entry in ENTRIES)
    data += struct.pack(code, 0, 0) + bytes(after * word_bytes)
    assert parse_auxv(data, word_bytes) == ENTRIES


@pytest.mark.parametrize(
    ("data", "word_bytes"), [(b"", 4), (struct.pack("<II", 6, 4096), 4), (bytes(16), 2), (b"\x06\0\0", 4)]
)
def test_a_vector_without_end_or_of_other_words_is_refused(data: bytes, word_bytes: int) -> None:
    with pytest.raises(ValueError, match=r"AT_NULL|words of 2"):
        parse_auxv(data, word_bytes)
