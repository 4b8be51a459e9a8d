"""/proc/PID/auxv: the auxiliary vector as execve stored it, in the program's own word size.

Source: fs/proc/base.c:auxv_read(); the entries are fs/binfmt_elf.c:create_elf_tables().
"""

from __future__ import annotations

import struct

from inspector.model.auxv import AuxEntry, AuxType

_PAIR = {4: struct.Struct("<II"), 8: struct.Struct("<QQ")}
"""One entry, by the program's word size in bytes: its type and its value."""


def parse_auxv(data: bytes, word_bytes: int) -> tuple[AuxEntry, ...]:
    """Return the entries of `data` up to AT_NULL, which is left out.

    `word_bytes` is 4 for an i386 program, under a 64-bit kernel too. The kernel counts the vector in its
    own words, so zeros may follow AT_NULL. ValueError: another word size, or no AT_NULL.
    """
    try:
        pair = _PAIR[word_bytes]
    except KeyError:
        msg = f"no program has words of {word_bytes} bytes"
        raise ValueError(msg) from None
    entries: list[AuxEntry] = []
    for kind, value in pair.iter_unpack(data[: len(data) - len(data) % pair.size]):
        if kind == AuxType.AT_NULL:
            return tuple(entries)
        entries.append(AuxEntry(kind, value))
    msg = f"an auxiliary vector of {len(data)} bytes without AT_NULL"
    raise ValueError(msg)
