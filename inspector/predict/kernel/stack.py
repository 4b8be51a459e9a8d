"""The initial stack: strings, tables and the auxiliary vector, byte by byte.

From the top of the stack downward (rules `stack.strings`, `stack.tables`):

    one zero word (the kernel's own word size)
    the path given to execve, NUL
    envp[n-1] ... envp[0]      strings
    argv[n-1] ... argv[0]      strings
    padding to 16 bytes (and a random amount with ASLR)
    platform string, NUL
    16 random bytes            AT_RANDOM points here
    padding to 16 bytes
    auxiliary vector, AT_NULL last
    envp pointers, NULL
    argv pointers, NULL
    argc                       <- esp
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import VirtAddr
from inspector.model.auxv import AuxEntry, AuxType
from inspector.model.snapshot import StackImage, Unpredictable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inspector.model.profile import MachineProfile

_WORD = 4
_WORD_MASK = 0xFFFF_FFFF
RANDOM_BYTES = 16


@dataclass(frozen=True, slots=True)
class Strings:
    """The strings execve copied to the new stack."""

    execfn: VirtAddr
    argv: tuple[VirtAddr, ...]
    envp: tuple[VirtAddr, ...]
    start: VirtAddr
    """Where the first argument is; the tables go below."""
    lowest: VirtAddr
    """The lowest address ever written, which is below `start` if a long argv[0] has been taken away."""
    written: tuple[tuple[VirtAddr, bytes], ...]
    """What was copied where, in order: later strings may lie over earlier ones."""

    def moved(self, distance: int) -> Strings:
        """Return the strings as they lie in an address space whose stack ends `distance` higher.

        They are copied before the kernel knows whose stack it will be. Source: fs/exec.c:shift_arg_pages().
        """

        def up(address: VirtAddr) -> VirtAddr:
            return VirtAddr(address + distance)

        return Strings(
            execfn=up(self.execfn),
            argv=tuple(map(up, self.argv)),
            envp=tuple(map(up, self.envp)),
            start=up(self.start),
            lowest=up(self.lowest),
            written=tuple((up(address), contents) for address, contents in self.written),
        )


@dataclass(frozen=True, slots=True)
class StackTables:
    """What create_elf_tables() adds below the strings."""

    image: StackImage
    auxv: tuple[AuxEntry, ...]
    tables_end: VirtAddr
    """First address above what was written; platform string and random bytes included."""

    def written(self, random_bytes: bytes) -> Iterator[tuple[VirtAddr, bytes]]:
        """Yield what is stored, in the kernel's order: platform string and random bytes, then the tables."""
        sp = self.image.sp
        random = self.image.unpredictable[0]
        yield (
            VirtAddr(random.start + random.length),
            self._bytes(random.start + random.length, self.tables_end),
        )
        yield random.start, random_bytes
        yield sp, self._bytes(sp, random.start)

    @property
    def auxv_bytes(self) -> bytes:
        """The auxiliary vector as it stands on the stack, behind the pointers."""
        return b"".join(
            struct.pack("<II", entry.type, entry.value)
            for entry in (*self.auxv, AuxEntry(AuxType.AT_NULL, 0))
        )

    def _bytes(self, start: int, end: int) -> bytes:
        return self.image.contents[start - self.image.sp : end - self.image.sp]


def random_bytes_at(strings: Strings, *, padding: int, platform: str) -> VirtAddr:
    """Return where AT_RANDOM's bytes lie; the platform string, which ends in a zero byte, is behind them."""
    return VirtAddr(((strings.start - padding) & ~0xF) - len(platform.encode()) - 1 - RANDOM_BYTES)


def stack_pointer(
    strings: Strings, *, padding: int, platform: str, auxv_entries: int, word_bytes: int
) -> VirtAddr:
    """Return where the tables begin below `strings`; `auxv_entries` counts AT_NULL.

    Source: fs/binfmt_elf.c:create_elf_tables(), STACK_ROUND().
    """
    random_at = random_bytes_at(strings, padding=padding, platform=platform)
    words = 1 + len(strings.argv) + 1 + len(strings.envp) + 1 + 2 * auxv_entries
    return VirtAddr((random_at - word_bytes * words) & ~0xF)


def create_elf_tables(
    strings: Strings,
    *,
    top: VirtAddr,
    padding: int,
    profile: MachineProfile,
    values: Mapping[int, int],
) -> StackTables:
    """Build the rest of the stack. `values` holds the auxv entries that depend on the program.

    Source: fs/binfmt_elf.c:create_elf_tables().
    """
    random_at = random_bytes_at(strings, padding=padding, platform=profile.platform)
    platform_at = VirtAddr(random_at + RANDOM_BYTES)
    platform = profile.platform.encode() + b"\0"

    known = dict(values)
    known[AuxType.AT_PLATFORM] = platform_at
    known[AuxType.AT_RANDOM] = random_at
    known[AuxType.AT_EXECFN] = strings.execfn
    # The vector is made of the program's words, so a value that does not fit loses its upper half.
    auxv = tuple(
        AuxEntry(item.type, (_known(known, item.type) if item.value is None else item.value) & _WORD_MASK)
        for item in profile.auxv
    )

    words: list[int] = [len(strings.argv), *strings.argv, 0, *strings.envp, 0]
    words += [word for entry in (*auxv, AuxEntry(AuxType.AT_NULL, 0)) for word in (entry.type, entry.value)]
    sp = stack_pointer(
        strings,
        padding=padding,
        platform=profile.platform,
        auxv_entries=len(auxv) + 1,
        word_bytes=_WORD,
    )

    low = min(sp, strings.lowest)
    image = bytearray(top - low)
    for address, data in strings.written:
        _place(image, low, address, data)
    _place(image, low, sp, struct.pack(f"<{len(words)}I", *words))
    _place(image, low, platform_at, platform)
    del image[: sp - low]
    return StackTables(
        image=StackImage(sp, bytes(image), (Unpredictable(random_at, RANDOM_BYTES, "stack.at-random"),)),
        auxv=auxv,
        tables_end=VirtAddr(platform_at + len(platform)),
    )


def _known(values: Mapping[int, int], kind: int) -> int:
    if kind not in values:
        raise NotModelled(f"auxiliary vector entry {AuxEntry(kind, 0).name}")
    return values[kind]


def _place(image: bytearray, base: VirtAddr, address: VirtAddr, data: bytes) -> None:
    image[address - base : address - base + len(data)] = data
