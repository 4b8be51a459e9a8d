"""What is to be explained: an address, or a symbol with or without an offset."""

from __future__ import annotations

import re

from inspector.elf.file import is_elf
from inspector.elf.symbol_index import SymbolIndex
from inspector.elf.symbols import find_symbol, why_no_symbols
from inspector.errors import UnknownSymbol, UsageError
from inspector.model.address import VirtAddr, written_address

_OFFSET = re.compile(r"(?P<name>.+)\+(?P<offset>0[xX][0-9a-fA-F]+|[0-9]+)", re.ASCII)
_END = 1 << 32


def address_asked_for(text: str) -> VirtAddr | None:
    """Return the address in `text`, in hexadecimal or decimal; None: it is to be a symbol.

    Raises UsageError for one that no i386 program can write down.
    """
    number = written_address(text)
    if number is None:
        return None
    if number >= _END:
        raise UsageError(f"{text} is no address of an i386 program", help="addresses end at 0xffffffff")
    return VirtAddr(number)


def file_address(path: str, text: str, called: str | None = None) -> int:
    """Return the address of symbol `text` in the file at `path`: `main`, or `table+0x2000`.

    `called`: the name by which the user knows the file.

    Raises UnknownSymbol, which names those that are spelled like it.
    """
    found = find_symbol(path, text) if text else None
    if found is not None:
        return found
    name, offset = text, 0
    if match := _OFFSET.fullmatch(text):
        name, offset = match["name"], int(match["offset"], 0)
        found = find_symbol(path, name)
        if found is not None:
            return (found + offset) % _END
    called = called or path
    if why := why_no_symbols(path):
        advice = "give an address: 0x8049000" if is_elf(path) else "give the path of a program"
        raise UnknownSymbol(f"{called} {why}", help=advice)
    like = SymbolIndex(path).like(name)
    advice = f"did you mean {' or '.join(like)}?" if like else "nm PROGRAM lists them; or give an address"
    raise UnknownSymbol(f"{called} has no symbol {name!r}", help=advice)
