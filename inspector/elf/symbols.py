"""Symbols of a program: pyelftools finds the tables, and their entries are read here, all at once."""

from __future__ import annotations

import bisect
import re
import struct
from contextlib import suppress
from dataclasses import dataclass

from inspector.elf.file import ExecutableFile
from inspector.errors import InspectorError, UnknownSymbol, UsageError
from inspector.model.address import VirtAddr

_TASK_LIMIT = 1 << 32
_ENTRY = struct.Struct("<IIIBBH")
"""Elf32_Sym: st_name, st_value, st_size, st_info, st_other, st_shndx."""
_SHN_UNDEF = 0
_STT_FUNC, _STT_NOTYPE = 2, 0


@dataclass(frozen=True, slots=True)
class _Table:
    """One symbol table and its strings, as they lie in the file."""

    entries: bytes
    strings: bytes

    def name(self, offset: int) -> str:
        """Return the string at `offset`."""
        end = self.strings.find(b"\0", offset)
        return self.strings[offset : end if end >= 0 else None].decode(errors="backslashreplace")


class Symbols:
    """What the symbol tables of one file define. A file without any, or with damaged ones, has none."""

    def __init__(self, path: str) -> None:
        """Read the tables of the ELF file at `path`."""
        self._tables = _tables(path)
        self._functions: list[tuple[int, int, str]] | None = None

    def find(self, name: str) -> VirtAddr | None:
        """Return the address in the file of function or label `name`, or None."""
        wanted = name.encode(errors="surrogateescape") + b"\0"
        for table in self._tables:
            offsets = {match.start() for match in re.finditer(re.escape(wanted), table.strings)}
            for offset, value, _, _, _, section in _ENTRY.iter_unpack(table.entries):
                if offset in offsets and section != _SHN_UNDEF:
                    return VirtAddr(value)
        return None

    def describe(self, address: int) -> str | None:
        """Return `main+0x12` for an address in the file; None where no function or label is below it."""
        if self._functions is None:
            self._functions = sorted(
                (value, size, table.name(offset))
                for table in self._tables
                for offset, value, size, info, _, section in _ENTRY.iter_unpack(table.entries)
                if section != _SHN_UNDEF and info & 0xF in (_STT_FUNC, _STT_NOTYPE) and offset
            )
        index = bisect.bisect_right(self._functions, (address, _TASK_LIMIT, "")) - 1
        if index < 0:
            return None
        value, size, name = self._functions[index]
        if address >= value + max(size, 1) and size:
            return None
        return name if address == value else f"{name}+{address - value:#x}"


def _tables(path: str) -> list[_Table]:
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    try:
        with ExecutableFile(path) as file, file.stream() as stream:
            return [
                _Table(whole_entries(section.data()), section.stringtable.data())
                for section in ELFFile(stream).iter_sections()
                if isinstance(section, SymbolTableSection)
            ]
    # pyelftools lets Python's own errors through on files that the kernel runs all the same.
    except (ELFError, ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError):
        return []
    except (OSError, InspectorError):
        return []


def whole_entries(data: bytes) -> bytes:
    """Return `data` without a last entry that is cut short."""
    return data[: len(data) - len(data) % _ENTRY.size]


def find_symbol(path: str, name: str) -> VirtAddr | None:
    """Return the address of function or label `name` in the ELF file at `path`, or None.

    The address is the one in the file; a position-independent program's load bias is not added.
    """
    return Symbols(path).find(name)


def resolve_stop(path: str, stop: str) -> VirtAddr:
    """Return the file address of `stop`: `0x8049000`, or a symbol's name.

    Raises UnknownSymbol where it is neither.
    """
    with suppress(ValueError):
        number = int(stop, 16) if stop.lower().startswith("0x") else int(stop)
        if not 0 <= number < _TASK_LIMIT:
            raise UsageError(f"{stop} is no address of an i386 program", help="addresses end at 0xffffffff")
        return VirtAddr(number)
    address = find_symbol(path, stop) if stop else None
    if address is None:
        raise UnknownSymbol(
            f"{path} has no symbol {stop!r}",
            help="name a symbol of its symbol table (nm PROGRAM), or give an address: 0x8049000",
        )
    return address
