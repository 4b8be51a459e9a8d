r"""/proc/PID/maps: the list of VMAs, one a line.

    08049000-0804a000 r-xp 00001000 fe:00 260131                     /home/me/a name\012with a newline
    start    end      perm offset   dev   inode  padding to a column  name

The kernel pads the line to column 25 + 6 * sizeof(void *) before a name, and a line without a name
ends in the blank that follows the inode. In the path of a file a newline is written `\012`; nothing else
is escaped, the backslash included, so a name that really holds the four characters `\012` reads the same
as one with a newline. The bytes of the line come back exactly either way.

A file that was unlinked has ` (deleted)` at the end of its path, and the path is kept so.

Source: fs/proc/task_mmu.c:show_map_vma(), get_vma_name(); fs/seq_file.c:mangle_path(), seq_pad().
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from inspector.model.address import AddressRange, FileOffset, VirtAddr
from inspector.model.vma import Access, Anonymous, Backing, FileBacking, Sharing, Special, Vma

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE = re.compile(
    rb"([0-9a-f]+)-([0-9a-f]+) ([r-][w-][x-])([ps]) ([0-9a-f]+) "
    rb"([0-9a-f]+):([0-9a-f]+) ([0-9]+) *([^\n]*)"
)

_ANONYMOUS_LABEL = re.compile(r"\[(?:heap|stack|stack:[0-9]+|anon:.*)\]", re.DOTALL)
"""The names of areas that are plain anonymous memory; every other name without a file is the kernel's own."""

_ACCESS = {str(access).encode(): access for access in map(Access, range(8))}
_SHARING = {b"p": Sharing.PRIVATE, b"s": Sharing.SHARED}


def parse_maps(data: bytes) -> tuple[Vma, ...]:
    """Return the areas `data` lists, in its order; their `flags` are None, for only smaps has them.

    Raises ValueError naming the first line that is not of the kernel's form.
    """
    return tuple(parse_line(line) for line in data.split(b"\n") if line)


def parse_line(line: bytes) -> Vma:
    """Return the area of one line, given without its newline; ValueError if it is not one."""
    match = _LINE.fullmatch(line)
    if match is None:
        msg = f"not a line of /proc/PID/maps: {line!r}"
        raise ValueError(msg)
    start, end, access, sharing, offset, major, minor, inode, name = match.groups()
    return Vma(
        range=AddressRange(VirtAddr(int(start, 16)), VirtAddr(int(end, 16))),
        access=_ACCESS[access],
        sharing=_SHARING[sharing],
        backing=_backing(name, (int(major, 16), int(minor, 16)), int(inode), int(offset, 16)),
    )


def format_maps(vmas: Iterable[Vma], *, kernel_word_bytes: int = 8) -> bytes:
    """Return the bytes the kernel would print for `vmas`: `format_maps(parse_maps(data)) == data`.

    `kernel_word_bytes` is the kernel's sizeof(void *), which decides the column of the names; an i386
    program under a 64-bit kernel is listed with 8.
    """
    return b"".join(_format_line(vma, 25 + 6 * kernel_word_bytes - 1) for vma in vmas)


def _format_line(vma: Vma, width: int) -> bytes:
    major, minor = vma.device
    line = (
        f"{vma.start:08x}-{vma.end:08x} {vma.perms} {vma.offset:08x} {major:02x}:{minor:02x} {vma.inode} "
    ).encode("ascii")
    name = os.fsencode(vma.name)
    if isinstance(vma.backing, FileBacking):
        name = name.replace(b"\n", rb"\012")
    elif not name:
        return line + b"\n"
    return line.ljust(width) + b" " + name + b"\n"


def _backing(name: bytes, device: tuple[int, int], inode: int, offset: int) -> Backing:
    # Where there is no file the kernel prints zeros in all three columns. A path begins with a slash, or
    # is the name of a pseudo file (`anon_inode:[perf_event]`), whose inode and device are not both 0.
    if name.startswith(b"/") or inode or offset or device != (0, 0):
        path = os.fsdecode(name.replace(rb"\012", b"\n"))
        return FileBacking(path, device, inode, FileOffset(offset))
    text = os.fsdecode(name)
    if not text or _ANONYMOUS_LABEL.fullmatch(text):
        return Anonymous(text)
    return Special(text)
