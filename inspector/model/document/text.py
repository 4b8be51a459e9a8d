r"""Strings of any bytes inside JSON; the escape is described in the package's docstring.

Inside the tool such strings are what `os.fsdecode` makes of them: a byte 0x80-0xff that is not part of valid
UTF-8 is a lone surrogate U+DC80-U+DCFF. JSON's own `\udc80` is legal grammar, but most parsers refuse it or
silently replace it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "\N{REPLACEMENT CHARACTER}"
_SURROGATE_OF_BYTE_0 = 0xDC00
_ESCAPED_BYTES = range(0x80, 0x100)

_NOT_PLAIN = re.compile(f"[{MARK}\ud800-\udfff]")
_ESCAPED = re.compile(f"{MARK}({MARK}|[89a-f][0-9a-f])?")


def escape(text: str) -> str:
    """Return `text` without surrogates. Raises ValueError for one that stands for no byte."""
    return _NOT_PLAIN.sub(_escape_one, text)


def unescape(text: str) -> str:
    """Undo `escape`. Raises ValueError if `text` is not what it returns."""
    return _ESCAPED.sub(_unescape_one, text)


def _escape_one(match: re.Match[str]) -> str:
    if match[0] == MARK:
        return MARK + MARK
    byte = ord(match[0]) - _SURROGATE_OF_BYTE_0
    if byte not in _ESCAPED_BYTES:
        raise ValueError(f"the surrogate {match[0]!a} stands for no byte")
    return f"{MARK}{byte:02x}"


def _unescape_one(match: re.Match[str]) -> str:
    if match[1] is None:
        raise ValueError(f"{MARK} (U+FFFD) stands alone in {match.string[:40]!r}")
    return MARK if match[1] == MARK else chr(_SURROGATE_OF_BYTE_0 + int(match[1], 16))


def map_strings(tree: object, change: Callable[[str], str]) -> object:
    """Return `tree`, made of what JSON decodes to, with every string changed."""
    match tree:
        case str():
            return change(tree)
        case list() | tuple():
            return [map_strings(item, change) for item in tree]
        case dict():
            return {change(key): map_strings(value, change) for key, value in tree.items()}
        case _:
            return tree
