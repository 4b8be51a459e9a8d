"""Questions about the initial stack: where things lie on it, and what they say."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from inspector.lab.evidence import snapshot_at
from inspector.lab.kinds.base import Question
from inspector.lab.needs import Needs, NotTold
from inspector.lab.table import Column, Row, Truth, read_address, read_number, show_plain
from inspector.model.auxv import AuxType

if TYPE_CHECKING:
    from inspector.lab.evidence import Evidence
    from inspector.lab.table import Value
    from inspector.lab.variant import Variant
    from inspector.model.snapshot import Snapshot, StackImage

_WORD = 4
_AUXILIARY = "|".join(each.name for each in AuxType if each is not AuxType.AT_NULL)
_Named = Annotated[
    str, Meta(pattern=rf"^(sp|argc|auxv|&?(argv|envp)\[[0-9]{{1,4}}\]|{_AUXILIARY})$(?!\n)", max_length=40)
]
_FORM = "a number, or an address; eight digits without 0x are hexadecimal, as in maps"


def _read(text: str) -> Value:
    word = text.strip()
    return read_number(word) if word.isdecimal() and not word.startswith("0") else read_address(word)


def _show(value: Value) -> str:
    return f"{value:#x}" if isinstance(value, int) and value >= 1 << 16 else show_plain(value)


class StackValues(Question, frozen=True, kw_only=True, tag="stack-values"):
    """Values of the initial stack, each by its name.

    `sp` is the stack pointer, `argc` the word it points to; `argv[1]` and `envp[0]` are pointers in the
    tables above, `&argv[1]` is where such a pointer lies, `AT_ENTRY` a value of the auxiliary vector, and
    `auxv` where that begins.
    """

    values: Annotated[tuple[_Named, ...], Meta(min_length=1)]

    @property
    def evidence(self) -> Needs:
        """The stack is whole before the first instruction only."""
        return Needs.EXEC

    def columns(self) -> tuple[Column, ...]:
        """Return a column that takes numbers and addresses."""
        return (Column("value", _read, _show),)

    def listed(self) -> tuple[str, ...]:
        """Return the names."""
        return self.values

    def keys(self, variant: Variant) -> tuple[str, ...]:
        """Return the names."""
        del variant
        return self.values

    def form(self) -> str:
        """Return how values are written."""
        return _FORM

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return the values. Raises NotTold."""
        contents = variant.files[variant.program or ""]
        observation, source = evidence.observe(contents, variant.arguments, self.evidence)
        snapshot = snapshot_at(observation, "exec")
        if snapshot.stack is None:
            raise NotTold("the initial stack was not seen")
        told = stack_values(snapshot, snapshot.stack)
        return Truth(tuple(Row(name, (told.get(name),), self.why) for name in self.values), source)


def stack_values(snapshot: Snapshot, stack: StackImage) -> dict[str, int]:
    """Return everything on the initial stack that has a name. Source: fs/binfmt_elf.c:create_elf_tables()."""
    words = [
        word for (word,) in struct.iter_unpack("<I", stack.contents[: len(stack.contents) // _WORD * _WORD])
    ]
    told = {"sp": int(stack.sp), "argc": words[0]}
    at = 1
    for name in ("argv", "envp"):
        index = 0
        while words[at]:
            told[f"{name}[{index}]"] = words[at]
            told[f"&{name}[{index}]"] = stack.sp + at * _WORD
            at, index = at + 1, index + 1
        at += 1
    told["auxv"] = stack.sp + at * _WORD
    for entry in snapshot.auxv or ():
        if entry.type != AuxType.AT_NULL:
            told[entry.name] = entry.value
    return told
