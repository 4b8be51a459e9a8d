"""Symbols of a program, by name."""

from __future__ import annotations

import os

from inspector.elf.file import ExecutableFile
from inspector.elf.header import ELF_MAGIC
from inspector.elf.symbol_tables import SHN_UNDEF, SYM, TablesTooLarge, symbol_tables
from inspector.errors import CannotObserve, UnknownSymbol, UsageError
from inspector.model.address import VirtAddr, written_address

_TASK_LIMIT = 1 << 32
_EI_CLASS, _ELFCLASS32 = 4, b"\1"
_NO_SYMBOLS = "has no symbols at all"


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


def why_no_symbols(path: str) -> str | None:
    """Return what is to be said of the file at `path` if no name can be found in it, None if names can.

    It follows the file's name: `is a directory`, `has no symbols at all`.
    """
    if os.path.isdir(path):  # noqa: PTH112 - any bytes
        return "is a directory"
    try:
        with ExecutableFile(path) as file:
            return _why_no_symbols_in(file)
    except TablesTooLarge:
        return "has symbol tables too large to be searched"
    except CannotObserve:
        return "is not a regular file that can be read"
    except OSError as error:
        return f"cannot be read: {os.strerror(error.errno or 0)}"


def _why_no_symbols_in(file: ExecutableFile) -> str | None:
    """Return the same of an open file. Raises CannotObserve or TablesTooLarge."""
    start = file.read(0, _EI_CLASS + 1)
    if not start.startswith(ELF_MAGIC):
        return "is not an ELF file"
    if start[_EI_CLASS:] != _ELFCLASS32:
        return "is not a 32-bit ELF file"
    defined = (
        section != SHN_UNDEF
        for table in symbol_tables(file)
        for *_, section in SYM.iter_unpack(table.entries)
    )
    return None if any(defined) else _NO_SYMBOLS


def _name(path: str) -> str:
    """Return what the user calls the file: the copy that is run has its name, but a path of its own."""
    return path.rpartition("/")[2] or path


def resolve_stop(path: str, stop: str) -> VirtAddr:
    """Return the file address of `stop`: `0x8049000`, `08049000`, or a symbol's name.

    Raises UnknownSymbol where it is neither.
    """
    number = written_address(stop)
    if number is not None:
        if number >= _TASK_LIMIT:
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
        if why_no_symbols(path) == _NO_SYMBOLS:
            raise UnknownSymbol(f"{_name(path)} {_NO_SYMBOLS}", help="give an address: 0x8049000")
        raise UnknownSymbol(
            f"{_name(path)} has no symbol {stop!r}",
            help="name a symbol of its symbol table (nm PROGRAM), or give an address: 0x8049000",
        )
    return address
