"""Symbols of a program, by name."""

from __future__ import annotations

from contextlib import suppress

from inspector.elf.file import ExecutableFile
from inspector.elf.symbol_tables import SHN_UNDEF, SYM, TablesTooLarge, symbol_tables
from inspector.errors import CannotObserve, UnknownSymbol, UsageError
from inspector.model.address import VirtAddr

_TASK_LIMIT = 1 << 32


def find_symbol(path: str, name: str) -> VirtAddr | None:
    """Return the address of function or label `name` in the ELF file at `path`, or None.

    The address is the one in the file; a position-independent program's load bias is not added. A file
    without symbol tables, with damaged ones or with larger ones than LARGEST_TABLES has no symbols.
    """
    try:
        return _search(path, name)
    except (OSError, CannotObserve, TablesTooLarge):
        return None


def _search(path: str, name: str) -> VirtAddr | None:
    """Return the same. Raises OSError, CannotObserve or TablesTooLarge."""
    wanted = name.encode(errors="surrogateescape") + b"\0"
    with ExecutableFile(path) as file:
        for table in symbol_tables(file):
            strings = table.strings
            if wanted not in strings:
                continue
            for offset, value, _, _, _, section in SYM.iter_unpack(table.entries):
                if section != SHN_UNDEF and strings.startswith(wanted, offset):
                    return VirtAddr(value)
    return None


def _name(path: str) -> str:
    """Return what the user calls the file: the copy that is run has its name, but a path of its own."""
    return path.rpartition("/")[2] or path


def resolve_stop(path: str, stop: str) -> VirtAddr:
    """Return the file address of `stop`: `0x8049000`, or a symbol's name.

    Raises UnknownSymbol where it is neither.
    """
    with suppress(ValueError):
        number = int(stop, 16) if stop.lower().startswith("0x") else int(stop)
        if not 0 <= number < _TASK_LIMIT:
            raise UsageError(f"{stop} is no address of an i386 program", help="addresses end at 0xffffffff")
        return VirtAddr(number)
    try:
        address = _search(path, stop) if stop else None
    except TablesTooLarge as error:
        raise UnknownSymbol(
            f"{_name(path)}: its symbol tables are too large to be searched for {stop!r}",
            help="give an address: 0x8049000",
        ) from error
    except (OSError, CannotObserve):
        address = None
    if address is None:
        raise UnknownSymbol(
            f"{_name(path)} has no symbol {stop!r}",
            help="name a symbol of its symbol table (nm PROGRAM), or give an address: 0x8049000",
        )
    return address
