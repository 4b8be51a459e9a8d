"""A quiz: single rows of the ready exercises, drawn by a seed, each with its answer and the reason.

A row is asked with all that is needed to work it out on paper: of a program, what `readelf` shows of its
headers. What the machine at hand does not tell is not asked, and another question drawn in its place.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.elf.header import (
    EHDR_SIZE,
    ELF_MAGIC,
    PHDR_SIZE,
    ElfHeader,
    parse_program_headers,
    segment_name,
)
from inspector.lab.draw import Draw
from inspector.lab.exercise import load_exercise
from inspector.lab.grading import Mark, by_key, grade
from inspector.lab.needs import NotTold
from inspector.lab.table import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.lab.evidence import Evidence
    from inspector.lab.kinds import Question
    from inspector.lab.table import Row
    from inspector.lab.variant import Variant

_SOURCES = {
    "address-space": ("stack-pages", "bss-start"),
    "two-views": ("data-perms", "sections"),
    "initial-stack": ("counts", "headers"),
    "page-tables": ("one", "hundred"),
    "execve-verdict": ("verdicts",),
    "overlay": ("addresses", "loads"),
    "replacement": ("fifo", "lru", "opt"),
}
"""Exercises and those of their questions that can be answered row by row."""
_SECTION = struct.Struct("<IIIIIIIIII")
_ALLOCATED = 2
_TRIES = 20
_FIRST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a quiz."""

    question: Question
    variant: Variant
    row: Row
    shown: tuple[str, ...]
    """What is given, a line each."""

    @property
    def asks(self) -> str:
        """The question in a sentence or two, its row named."""
        return f"{' '.join(self.question.ask.split())} [{self.row.key}]"

    def judge(self, text: str) -> tuple[bool, str]:
        """Return whether `text` answers it, and what is wrong with the words if they cannot be read."""
        answer = self.question.read_keyed({self.row.key: text})
        verdict = grade("quiz", 1, self.question.columns(), Truth((self.row,)), answer, by_key)
        unread = next((row.detail for row in verdict.rows if row.mark is Mark.UNREAD), "")
        return verdict.is_full, unread

    @property
    def answer(self) -> str:
        """The right answer."""
        (cell,) = self.row.cells
        (column,) = self.question.columns()
        return "-" if cell is None else column.show(cell)


def quiz(seed: int, count: int, evidence: Evidence) -> Iterator[Item]:
    """Yield `count` questions, the same for the same seed; fewer where the machine tells too little."""
    draw = Draw(hashlib.sha256(f"quiz {seed}".encode()).digest())
    for number in range(count):
        for attempt in range(_TRIES):
            item = _drawn(draw.branch(f"{number} {attempt}"), evidence)
            if item is not None:
                yield item
                break


def _drawn(draw: Draw, evidence: Evidence) -> Item | None:
    name = draw.choice(list(_SOURCES))
    wanted = draw.choice(_SOURCES[name])
    exercise = load_exercise(name)
    variant = exercise.variant.make(draw.branch("variant"))
    question = next(each for each in exercise.questions if each.id == wanted)
    try:
        rows = question.truth(variant, evidence).rows
    except NotTold:
        return None
    row = draw.choice(rows)
    if row.cells[0] is None:
        return None
    return Item(question, variant, row, tuple(_shown(question, variant, row)))


def _shown(question: Question, variant: Variant, row: Row) -> Iterator[str]:
    """Yield what is given: the numbers of the question, or the headers of the file that it is about."""
    if given := question.given(variant):
        yield given
    if variant.arguments:
        yield f"argv[1] and on: {' '.join(variant.arguments)}"
    if variant.files:
        # Files are asked about by their names, or there is one.
        name = row.key if row.key in variant.files else variant.program
        yield from describe(variant.files[name or next(iter(variant.files))])
    if form := question.form():
        yield f"(write: {form})"


def describe(contents: bytes) -> Iterator[str]:
    """Yield what readelf shows of a file's headers, a line each; of what is no ELF file its first bytes."""
    if not contents.startswith(ELF_MAGIC):
        yield f"{len(contents)} bytes: {contents[:40]!r}"
        return
    header = ElfHeader.parse(contents)
    yield f"e_ident {contents[:_FIRST_BYTES].hex(' ')}, {len(contents)} bytes in all"
    yield (
        f"e_type {header.type}, e_machine {header.machine}, e_version {header.version}, "
        f"e_entry {header.entry:#x}, e_phoff {header.phoff}, "
        f"e_phentsize {header.phentsize}, e_phnum {header.phnum}"
    )
    table = contents[EHDR_SIZE : EHDR_SIZE + 8 * PHDR_SIZE][: (header.phnum or 3) * PHDR_SIZE]
    for number, each in enumerate(parse_program_headers(table)):
        if each.type or each.memsz:
            yield (
                f"{number:02} {segment_name(each.type):9} offset {each.offset:#07x} vaddr {each.vaddr:#010x} "
                f"filesz {each.filesz:#07x} memsz {each.memsz:#07x} {each.access}"
            )
    yield from _sections(contents, header)


def _sections(contents: bytes, header: ElfHeader) -> Iterator[str]:
    data = contents[header.shoff : header.shoff + header.shnum * _SECTION.size]
    if not header.shoff or len(data) % _SECTION.size or not data:
        return
    rows = list(_SECTION.iter_unpack(data))
    names = contents[rows[-1][4] : rows[-1][4] + rows[-1][5]]
    for name, _, flags, address, offset, size, *_ in rows[1:]:
        text = names[name:].partition(b"\0")[0].decode("ascii", "replace")
        where = f"address {address:#010x} offset {offset:#07x} size {size:#07x}"
        yield f"{text:12} {where}{' A' if flags & _ALLOCATED else ''}"
