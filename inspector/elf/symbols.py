"""Symbols of a program, read by pyelftools; only what a stop needs."""

from __future__ import annotations

from contextlib import suppress

from inspector.elf.file import ExecutableFile
from inspector.errors import InspectorError, UnknownSymbol, UsageError
from inspector.model.address import VirtAddr

_TASK_LIMIT = 1 << 32


def find_symbol(path: str, name: str) -> VirtAddr | None:
    """Return the address of function or label `name` in the ELF file at `path`, or None.

    The address is the one in the file; a position-independent program's load bias is not added.
    Files whose section headers are damaged or absent have no symbols: None.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    try:
        with ExecutableFile(path) as file, file.stream() as stream:
            for section in ELFFile(stream).iter_sections():
                if not isinstance(section, SymbolTableSection):
                    continue
                for symbol in section.get_symbol_by_name(name) or ():
                    if symbol["st_shndx"] != "SHN_UNDEF":
                        return VirtAddr(symbol["st_value"])
    # pyelftools lets Python's own errors through on files that the kernel runs all the same.
    except (ELFError, ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError):
        return None
    except (OSError, InspectorError):
        return None
    return None


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
