"""Page faults in the order they were taken, kept by column.

A program may fault hundreds of thousands of times. As an object, a fault with its numbers and its range takes
more than 300 bytes; as a row of columns fewer than 100, and it is made an object when it is asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from inspector.model.address import AddressRange, FileOffset, VirtAddr
from inspector.model.fault import Fault, FaultKind, FaultMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.vma import Access, Vma

_NONE = -1
"""In a column of numbers; they are all addresses and offsets, never negative."""


class FaultLog(Sequence[Fault]):
    """Faults of a simulated run: a sequence that grows at its end. It equals any sequence of the same."""

    def __init__(self) -> None:
        """Start empty."""
        self._processes = array("I")
        self._modes: list[FaultMode] = []
        self._addresses = array("q")
        self._accesses: list[Access | None] = []
        self._protections: list[bool | None] = []
        self._ips = array("q")
        self._kinds: list[FaultKind | None] = []
        self._areas: list[Vma | None] = []
        self._file_offsets = array("q")
        self._mapped_starts = array("q")
        self._mapped_ends = array("q")
        self._symbols: list[str | None] = []

    def record(
        self,
        process: int,
        mode: FaultMode,
        address: VirtAddr,
        access: Access | None,
        protection: bool | None,
        ip: VirtAddr | None,
        kind: FaultKind | None,
        area: Vma | None = None,
        file_offset: FileOffset | None = None,
        mapped: AddressRange | None = None,
        symbol: str | None = None,
    ) -> None:
        """Add the Fault of these fields."""
        self._processes.append(process)
        self._modes.append(mode)
        self._addresses.append(address)
        self._accesses.append(access)
        self._protections.append(protection)
        self._ips.append(_NONE if ip is None else ip)
        self._kinds.append(kind)
        self._areas.append(area)
        self._file_offsets.append(_NONE if file_offset is None else file_offset)
        self._mapped_starts.append(_NONE if mapped is None else mapped.start)
        self._mapped_ends.append(_NONE if mapped is None else mapped.end)
        self._symbols.append(symbol)

    def __len__(self) -> int:
        return len(self._processes)

    @overload
    def __getitem__(self, index: int) -> Fault: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Fault, ...]: ...

    def __getitem__(self, index: int | slice) -> Fault | tuple[Fault, ...]:
        if isinstance(index, slice):
            return tuple(map(self._fault, range(*index.indices(len(self)))))
        return self._fault(index)

    def __iter__(self) -> Iterator[Fault]:
        return map(self._fault, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment] # it grows

    def _fault(self, index: int) -> Fault:
        ip, file_offset = self._ips[index], self._file_offsets[index]
        start, end = self._mapped_starts[index], self._mapped_ends[index]
        return Fault(
            self._processes[index],
            self._modes[index],
            VirtAddr(self._addresses[index]),
            self._accesses[index],
            self._protections[index],
            None if ip == _NONE else VirtAddr(ip),
            self._kinds[index],
            self._areas[index],
            None if file_offset == _NONE else FileOffset(file_offset),
            None if start == _NONE else AddressRange(VirtAddr(start), VirtAddr(end)),
            self._symbols[index],
        )
