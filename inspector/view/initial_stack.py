"""The initial stack taken apart: what each byte from the stack pointer to the top is there for.

Nothing is believed but lengths: argc, pointers and strings are looked up in the bytes themselves, and what
leads nowhere is `OTHER`. The parts follow each other without a gap. The order is create_elf_tables()'s
(fs/binfmt_elf.c), and above it copy_strings()'s (fs/exec.c).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from inspector.model.address import AddressRange, VirtAddr
from inspector.model.auxv import AuxEntry, AuxType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.snapshot import StackImage

_WORD = 4
_RANDOM_BYTES = 16
"""What AT_RANDOM points to (fs/binfmt_elf.c:k_rand_bytes)."""


class PartKind(enum.Enum):
    """What some bytes of the initial stack are."""

    ARGC = "argc"
    ARGV = "argv pointer"
    ARGV_END = "argv end"
    ENVP = "envp pointer"
    ENVP_END = "envp end"
    AUXV = "auxv entry"
    RANDOM = "random bytes"
    PLATFORM = "platform string"
    ARGUMENT = "argument string"
    ENVIRONMENT = "environment string"
    EXECFN = "execfn string"
    PADDING = "padding"
    """Zeros that bring what is below to a multiple of 16, or of its own size."""
    TOP = "top"
    """The zero word above everything: of the kernel's word size, not the program's."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class StackPart:
    """Some bytes, and what they are."""

    range: AddressRange
    kind: PartKind
    contents: bytes
    index: int | None = None
    """Of an argument, a variable or an entry: its number, from 0."""
    entry: AuxEntry | None = None
    """Of an AUXV part, the two words read."""

    @property
    def word(self) -> int:
        """The first word, as a number."""
        return int.from_bytes(self.contents[:_WORD], "little")


class _Target(NamedTuple):
    """Bytes that something in the tables points to."""

    start: int
    end: int
    kind: PartKind
    number: int | None


def parts_of(stack: StackImage) -> tuple[StackPart, ...]:
    """Return the parts of `stack` in ascending order."""
    return _Decoder(stack).parts()


class _Decoder:
    def __init__(self, stack: StackImage) -> None:
        self._sp, self._contents = stack.sp, stack.contents
        self._at = 0
        self._parts: list[StackPart] = []

    def parts(self) -> tuple[StackPart, ...]:
        if len(self._contents) >= _WORD:
            argc = self._word(0)
            self._take(_WORD, PartKind.ARGC)
            self._pointers(PartKind.ARGV, PartKind.ARGV_END, argc)
            self._pointers(PartKind.ENVP, PartKind.ENVP_END, None)
            self._auxv()
        for target in self._targets():
            start = target.start - self._sp
            if start < self._at:
                continue  # it lies in what has been told already
            self._between(start)
            self._take(target.end - target.start, target.kind, target.number)
        self._between(len(self._contents), is_top=True)
        return tuple(self._parts)

    def _word(self, offset: int) -> int:
        return int.from_bytes(self._contents[offset : offset + _WORD], "little")

    def _take(
        self, size: int, kind: PartKind, index: int | None = None, entry: AuxEntry | None = None
    ) -> None:
        end = min(self._at + size, len(self._contents))
        where = AddressRange(VirtAddr(self._sp + self._at), VirtAddr(self._sp + end))
        self._parts.append(StackPart(where, kind, self._contents[self._at : end], index, entry))
        self._at = end

    def _left(self) -> int:
        return len(self._contents) - self._at

    def _pointers(self, kind: PartKind, end: PartKind, count: int | None) -> None:
        """Take `count` pointers, or those before the first zero, and the zero behind them."""
        number = 0
        while self._left() >= _WORD and number != count and (count is not None or self._word(self._at)):
            self._take(_WORD, kind, number)
            number += 1
        if self._left() >= _WORD and not self._word(self._at):
            self._take(_WORD, end)

    def _auxv(self) -> None:
        number = 0
        while self._left() >= 2 * _WORD:
            entry = AuxEntry(self._word(self._at), self._word(self._at + _WORD))
            self._take(2 * _WORD, PartKind.AUXV, number, entry)
            number += 1
            if entry.type == AuxType.AT_NULL:
                return

    def _targets(self) -> list[_Target]:
        """Return what the tables point to, by address; of two that lie alike, the argument comes first."""
        found: dict[int, _Target] = {}
        for target in self._pointed_to():
            found.setdefault(target.start, target)
        ordered = sorted(found.values())
        bounds = [*(target.start for target in ordered), self._sp + len(self._contents)][1:]
        return [
            target._replace(end=min(target.end, bound)) for target, bound in zip(ordered, bounds, strict=True)
        ]

    def _pointed_to(self) -> Iterator[_Target]:
        pointers = {PartKind.ARGV: PartKind.ARGUMENT, PartKind.ENVP: PartKind.ENVIRONMENT}
        strings = {AuxType.AT_PLATFORM: PartKind.PLATFORM, AuxType.AT_EXECFN: PartKind.EXECFN}
        for part in self._parts:
            if part.kind in pointers:
                yield from self._string(part.word, pointers[part.kind], part.index)
            elif part.entry is not None and part.entry.type == AuxType.AT_RANDOM:
                if self._holds(part.entry.value):
                    end = part.entry.value + _RANDOM_BYTES
                    yield _Target(part.entry.value, end, PartKind.RANDOM, None)
            elif part.entry is not None and part.entry.type in strings:
                yield from self._string(part.entry.value, strings[AuxType(part.entry.type)], None)

    def _holds(self, address: int) -> bool:
        return self._at <= address - self._sp < len(self._contents)

    def _string(self, address: int, kind: PartKind, index: int | None) -> Iterator[_Target]:
        """Yield the string at `address`, its zero byte with it, if it is above the tables."""
        if self._holds(address):
            end = self._contents.find(b"\0", address - self._sp)
            length = len(self._contents) if end < 0 else end + 1
            yield _Target(address, self._sp + length, kind, index)

    def _between(self, end: int, *, is_top: bool = False) -> None:
        """Take what is before `end` and was pointed to by nothing."""
        if end > self._at:
            zeros = not any(self._contents[self._at : end])
            kind = PartKind.TOP if is_top else PartKind.PADDING
            self._take(end - self._at, kind if zeros else PartKind.OTHER)


__all__ = ["PartKind", "StackPart", "parts_of"]
