"""Mutations that know the shape of an input: a field of an ELF header, a value of a document.

Of random bytes few are a program header's, and a document with one byte changed is seldom a document.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from inspector.elf.header import EHDR_SIZE, ELF64, ELF_MAGIC, EM_386, PHDR_SIZE
from inspector.fuzz.fields import class_of
from inspector.fuzz.mutation import mutate

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Mutator = Callable[[bytes, random.Random], bytes]

_SHDR_SIZE = 40
_WORDS = (
    0, 1, 2, 3, 4, 7, 16, 0x20, 0x34, 0xFFF, 0x1000, 0x1001, 0x10000, 0x200000, 0x08048000, 0x40000000,
    0x56555000, 0x6474E551, 0x7FFFFFFF, 0x80000000, 0xBFFFF000, 0xC0000000, 0xF7FFD000, 0xFFFDD000,
    0xFFFFD000, 0xFFFFE000, 0xFFFFF000, 0xFFFFFFFF,
)  # fmt: skip
_COUNTS = (0, 1, 2, 3, 16, 200, 2047, 2048, 2049, 0xFFFE, 0xFFFF)
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 4095, 4096, 1 << 31, 1 << 32, 1 << 47, 1 << 63, 1 << 64, 1 << 200, 0.5,
    1e308, "", "0x0", "0x1000", "0xffffffff", "0xfffffffffffff000", "r-xp", "exec", "main", "exit", "\n",
    "\ufffd00", "\ufffd", "a" * 70, [], {}, [[]], [None], "AAAA",
)  # fmt: skip


def mutate_elf(data: bytes, rng: random.Random) -> bytes:
    """Change one thing about the header, the program headers or the section headers."""
    if class_of(data) is ELF64 or rng.random() < 0.3:
        return mutate(data, rng)
    image = bytearray(data.ljust(EHDR_SIZE, b"\0"))
    if rng.random() < 0.05 or image[:4] != ELF_MAGIC:
        image[:4] = ELF_MAGIC
        struct.pack_into("<HH", image, 16, rng.choice((2, 3)), EM_386)
    phoff, shoff = struct.unpack_from("<II", image, 28)
    _, phnum, _, shnum = struct.unpack_from("<HHHH", image, 42)
    match rng.randrange(6):
        case 0:
            _set_word(image, rng.choice((20, 24, 28, 32, 36)), rng)
        case 1:
            struct.pack_into(
                "<H", image, rng.choice((16, 42, 44, 46, 48, 50)), rng.choice((*_COUNTS, 32, 40))
            )
        case 2 | 3:
            _mutate_table(image, phoff, PHDR_SIZE, phnum, 44, rng)
        case 4:
            _mutate_table(image, shoff, _SHDR_SIZE, shnum, 48, rng)
        case 5:
            struct.pack_into("<I", image, 36, rng.choice((0, 0, 12, 13, 14, 16, 20, 26)))
    return bytes(image)


def _mutate_table(
    image: bytearray, offset: int, size: int, count: int, count_at: int, rng: random.Random
) -> None:
    """Set a field of one entry, copy an entry over another, or add one."""
    whole = min(count, max(0, len(image) - offset) // size)
    if not whole:
        _set_word(image, 28 if size == PHDR_SIZE else 32, rng, (EHDR_SIZE, len(image) - size))
        struct.pack_into("<H", image, count_at, 1)
        return
    entry = offset + size * rng.randrange(whole)
    match rng.randrange(8):
        case 0:
            other = offset + size * rng.randrange(whole)
            image[entry : entry + size] = image[other : other + size]
        case 1 if count < 0xFFFF:
            # In front of the table's last entry; what follows in the file moves up.
            image[entry:entry] = image[entry : entry + size]
            struct.pack_into("<H", image, count_at, count + 1)
        case _:
            _set_word(image, entry + 4 * rng.randrange(size // 4), rng)


def _set_word(image: bytearray, at: int, rng: random.Random, values: tuple[int, ...] = _WORDS) -> None:
    if at + 4 > len(image):
        return
    (old,) = struct.unpack_from("<I", image, at)
    other = 4 * rng.randrange(len(image) // 4)
    (elsewhere,) = struct.unpack_from("<I", image, other)
    new = rng.choice(
        (rng.choice(values), rng.choice(values), old + rng.choice((-1, 1, 4096, -4096)), elsewhere)
    )
    struct.pack_into("<I", image, at, new & 0xFFFF_FFFF)


def mutate_document(data: bytes, rng: random.Random) -> bytes:
    """Change one value of a JSON document, leave it out, or put it where another was."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return data
    places = list(_places(tree))
    if not places:
        return data
    holder, key = rng.choice(places)
    match rng.randrange(5):
        case 0:
            del holder[key]
        case 1:
            other, place = rng.choice(places)
            if key in _keys(holder) and place in _keys(other):
                # A copy, so that no value comes to hold itself.
                holder[key] = json.loads(json.dumps(other[place]))
        case 2 if isinstance(holder, list):
            holder.insert(key, json.loads(json.dumps(holder[key])))
        case 3 if isinstance(holder[key], str) and holder[key].startswith("0x"):
            holder[key] = _other_address(holder[key], rng)
        case _:
            holder[key] = rng.choice(_VALUES)
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=rng.random() < 0.5).encode(errors="replace")


def _other_address(text: str, rng: random.Random) -> str:
    try:
        value = int(text, 16)
    except ValueError:
        return text
    return f"{max(0, value + rng.choice((-4096, -1, 1, 4096, 1 << 31, 1 << 63))):#x}"


def _places(tree: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - it is JSON
    """Return every value below `tree` as the object or array that holds it, and its key there."""
    found, waiting = [], [tree]
    while waiting:
        holder = waiting.pop()
        for key in _keys(holder):
            found.append((holder, key))
            waiting.append(holder[key])
    return found


def _keys(holder: Any) -> list[Any]:  # noqa: ANN401 - it is JSON
    if isinstance(holder, dict):
        return list(holder)
    return list(range(len(holder))) if isinstance(holder, list) else []


MUTATORS: dict[str, Mutator] = {
    "program": mutate_elf,
    "symbols": mutate_elf,
    "document": mutate_document,
}
"""By target; the others have none of their own."""
