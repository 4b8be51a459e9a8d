"""What is to be explained: an address, or a symbol with or without an offset."""

from __future__ import annotations

import re

from inspector.elf.symbol_index import SymbolIndex
from inspector.elf.symbols import find_symbol
from inspector.errors import UnknownSymbol, UsageError
from inspector.model.address import VirtAddr

_OFFSET = re.compile(r"(?P<name>.+)\+(?P<offset>0[xX][0-9a-fA-F]+|[0-9]+)", re.ASCII)
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}", re.ASCII)
_END = 1 << 32


def address_asked_for(text: str) -> VirtAddr | None:
    """Return the address in `text`, hexadecimal with 0x or decimal; None: it is to be a symbol.

    Raises UsageError for one that no i386 program can write down.
    """
    if not _NUMBER.fullmatch(text):
        return None
    number = int(text, 16) if text[:2].lower() == "0x" else int(text)
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
    like = SymbolIndex(path).like(name)
    advice = f"did you mean {' or '.join(like)}?" if like else "nm PROGRAM lists them; or give an address"
    raise UnknownSymbol(f"{called or path} has no symbol {name!r}", help=advice)
