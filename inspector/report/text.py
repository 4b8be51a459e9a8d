"""Texts fit to be shown: nothing in them moves a cursor, and they have the length there is room for."""

from __future__ import annotations

import re
import unicodedata

from inspector.language import tr, tr_in

ELLIPSIS = "…"
_KIB = 1 << 10
_FOUR_DIGITS, _FIVE_DIGITS = 1000, 10_000
_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that a terminal acts on, or has no picture for."""
_IDEOGRAPH = "[\u2e80-\u2fff\u3040-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_OPENING, _CLOSING = "（《「“", "，。、；：！？）》」”"  # noqa: RUF001 - they are Chinese
_WORDS = (
    f" +|[{_OPENING}]*{_IDEOGRAPH}[{_CLOSING}]*"
    f"|(?:(?!{_IDEOGRAPH})[^ {_CLOSING}])+[{_CLOSING}]*"
    f"|[{_CLOSING}]+"
)
"""What a line is not broken within. Chinese may be broken between any two characters, but no line begins with
what ends a clause."""
_ENGLISH_WORDS = " +|[^ ]+"
"""The same where nothing is Chinese; the other expression takes a hundred times as long to compile."""


def printable(text: str) -> str:
    r"""Return `text` with what must not reach a terminal as escapes: `\x1b`, `\n`, `\u202e`.

    A byte that was no valid text (a surrogate of `os.fsdecode`) appears as itself: `\xff`.
    """
    return "".join(map(_escaped, text))


def _escaped(letter: str) -> str:
    if unicodedata.category(letter) not in _UNSHOWN:
        return letter
    if "\udc80" <= letter <= "\udcff":
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")


def display_width(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    return sum(map(_letter_width, text))


def _letter_width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def padded(text: str, width: int) -> str:
    """Return `text` with blanks behind it that fill `width` columns."""
    return text + " " * (width - display_width(text))


def shortened(text: str, width: int, ellipsis: str = ELLIPSIS) -> str:
    """Return `text` in at most `width` columns; what does not fit is taken from its middle.

    Two thirds of the room go to the end: the last part of a path tells more than the first.
    """
    if display_width(text) <= width:
        return text
    room = max(width - display_width(ellipsis), 0)
    head = _prefix(text, room // 3)
    tail = _prefix(text[::-1], room - display_width(head))[::-1]
    return f"{head}{ellipsis}{tail}"


def _prefix(text: str, width: int) -> str:
    taken = 0
    for position, letter in enumerate(text):
        taken += _letter_width(letter)
        if taken > width:
            return text[:position]
    return text


def wrapped(text: str, width: int) -> list[str]:
    """Return `text` as lines of at most `width` columns, at least one; a word that is longer is cut."""
    lines, line, used = [], "", 0
    for word in re.findall(_ENGLISH_WORDS if text.isascii() else _WORDS, text):
        left = word
        while display_width(left) > width - used:
            if used:
                lines.append(line)
                left = left.lstrip(" ")
            else:
                piece = _prefix(left, width) or left[0]
                lines.append(piece)
                left = left[len(piece) :]
            line, used = "", 0
        line += left
        used += display_width(left)
    if line or not lines:
        lines.append(line)
    return [line.rstrip(" ") for line in lines]


def size(size_bytes: int) -> str:
    """Return a size with its unit, never rounded: `4 KiB`, `1028 KiB`, `16 MiB`, `1712 B`."""
    units = ("B", "KiB", "MiB", "GiB")
    unit = 0
    while size_bytes and size_bytes % _KIB == 0 and unit < len(units) - 1:
        size_bytes //= _KIB
        unit += 1
    return f"{size_bytes} {units[unit]}"


def short_size(size_bytes: int) -> str:
    """Return a size for a narrow column, rounded beyond four digits: `4K`, `1028K`, `3.7G`."""
    units, unit, value = "BKMGTPE", 0, size_bytes
    while value >= _KIB and value % _KIB == 0 and unit < len(units) - 1:
        value //= _KIB
        unit += 1
    text = str(value)
    if value >= _FIVE_DIGITS:
        rounded = float(value)
        while rounded >= _FOUR_DIGITS and unit < len(units) - 1:
            rounded /= _KIB
            unit += 1
        text = f"{rounded:.1f}"
    return text if units[unit] == "B" else text + units[unit]


def joined(*sentences: str) -> str:
    """Return sentences as running text; Chinese leaves no blank between them."""
    text = ""
    for sentence in sentences:
        text += ("" if text.endswith(tuple(_CLOSING)) else " " if text else "") + sentence
    return text


def process_name(number: int) -> str:
    """Return `process 1`."""
    return tr("process {number}").format(number=number)


def counted(number: int, noun: str) -> str:
    """Return `1 page`, `2 pages`; in Chinese the noun has its measure word, and no plural."""
    measured = tr_in("counted", noun)
    if measured != noun or number == 1:
        return f"{number} {measured}"
    return f"{number} {noun}s"
