"""The initial stack as rows: where, which bytes, what they are, what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.language import N_, tr
from inspector.model.auxv import AuxType
from inspector.report.document import Mark
from inspector.report.text import counted, printable, shortened
from inspector.view.initial_stack import PartKind, StackPart, parts_of

if TYPE_CHECKING:
    from inspector.model.snapshot import StackImage

_SHOWN_BYTES = 16
_LONGEST_TEXT = 160
MOST_ROWS = 600
_IN_HEXADECIMAL = frozenset(
    {
        *(AuxType.AT_SYSINFO_EHDR, AuxType.AT_PHDR, AuxType.AT_BASE, AuxType.AT_ENTRY, AuxType.AT_PLATFORM),
        *(AuxType.AT_RANDOM, AuxType.AT_EXECFN, AuxType.AT_SYSINFO, AuxType.AT_FLAGS),
        *(AuxType.AT_HWCAP, AuxType.AT_HWCAP2, AuxType.AT_HWCAP3, AuxType.AT_HWCAP4),
    }
)
"""Addresses and sets of bits; of the others only large numbers are."""
_NAMES = {
    PartKind.ARGC: "argc",
    PartKind.ARGV_END: N_("NULL: end of argv"),
    PartKind.ENVP_END: N_("NULL: end of envp"),
    PartKind.RANDOM: N_("16 random bytes"),
    PartKind.PLATFORM: N_("platform string"),
    PartKind.EXECFN: N_("path given to execve"),
    PartKind.PADDING: N_("padding"),
    PartKind.TOP: N_("top of the stack"),
    PartKind.OTHER: N_("nothing points here"),
}
_GROUPS = {
    PartKind.ARGC: "tables",
    PartKind.ARGV: "tables",
    PartKind.ARGV_END: "tables",
    PartKind.ENVP: "tables",
    PartKind.ENVP_END: "tables",
    PartKind.AUXV: "auxv",
    PartKind.PADDING: "padding",
    PartKind.TOP: "padding",
    PartKind.OTHER: "other",
}
"""What parts are coloured by; all others are strings."""


@dataclass(frozen=True, slots=True)
class StackRow:
    """One part of the stack."""

    address: int
    size: int
    contents: str
    """In hexadecimal, the first bytes of many."""
    group: str
    name: str
    value: str
    mark: Mark | None
    instead: str = ""
    """The bytes that were observed, where they differ."""
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class StackTable:
    """The stack from esp to its top."""

    rows: tuple[StackRow, ...]
    left_out: str
    """What is not among the rows, in words."""
    summary: str
    whole_moved: str
    """How the two sides' stacks differ in place or length; empty if they do not."""


def stack_table(predicted: StackImage | None, observed: StackImage | None) -> StackTable | None:
    """Return the stack as it was predicted, or else observed, beside what was observed."""
    image = predicted or observed
    if image is None:
        return None
    both = predicted is not None and observed is not None
    moved = ""
    if predicted is not None and observed is not None and _extent(predicted) != _extent(observed):
        moved = tr(
            "The two are not of one place or length: predicted {predicted}, observed {observed}."
        ).format(predicted=_extent(predicted), observed=_extent(observed))
        both = False
    parts = parts_of(image)
    rows = [_row(image, part, observed if both else None, judged=both) for part in parts[:MOST_ROWS]]
    more = len(parts) - len(rows)
    return StackTable(
        tuple(rows),
        ""
        if more <= 0
        else tr("{parts} above {address:#x}.").format(
            parts=counted(more, "more part"), address=parts[MOST_ROWS].range.start
        ),
        _extent(image),
        moved,
    )


def _extent(image: StackImage) -> str:
    return tr("{start:#x} to {end:#x}, {bytes}").format(
        start=image.sp, end=image.sp + len(image.contents), bytes=counted(len(image.contents), "byte")
    )


def _row(image: StackImage, part: StackPart, observed: StackImage | None, *, judged: bool) -> StackRow:
    gap = next(
        (gap for gap in image.unpredictable if gap.start <= part.range.start < gap.start + gap.length), None
    )
    mark, instead = None, ""
    if gap is not None:
        mark = Mark.EXPLAINED
    elif judged and observed is not None:
        start = part.range.start - image.sp
        seen = observed.contents[start : start + len(part.contents)]
        mark = Mark.GOOD if seen == part.contents else Mark.BAD
        instead = "" if mark is Mark.GOOD else _hex(seen)
    return StackRow(
        part.range.start,
        part.range.size_bytes,
        _hex(part.contents),
        _GROUPS.get(part.kind, "strings"),
        _name(part),
        tr("not to be known beforehand") if gap is not None else _value(part),
        mark,
        instead,
        None if gap is None else gap.rule,
    )


def _hex(contents: bytes) -> str:
    more = " …" if len(contents) > _SHOWN_BYTES else ""
    return contents[:_SHOWN_BYTES].hex(" ", 4 if len(contents) % 4 == 0 else 1) + more


def _name(part: StackPart) -> str:
    match part.kind:
        case PartKind.ARGV:
            return f"argv[{part.index}]"
        case PartKind.ENVP:
            return f"envp[{part.index}]"
        case PartKind.AUXV if part.entry is not None:
            return part.entry.name
        case PartKind.ARGUMENT:
            return tr("string of {pointer}").format(pointer=f"argv[{part.index}]")
        case PartKind.ENVIRONMENT:
            return tr("string of {pointer}").format(pointer=f"envp[{part.index}]")
    return tr(_NAMES[part.kind])


def _value(part: StackPart) -> str:
    match part.kind:
        case PartKind.ARGC:
            return str(part.word)
        case PartKind.ARGV | PartKind.ENVP:
            return f"→ {part.word:#x}"
        case PartKind.AUXV if part.entry is not None:
            return _auxiliary(part.entry.type, part.entry.value)
        case PartKind.PADDING | PartKind.TOP:
            return counted(len(part.contents), "zero byte")
        case PartKind.ARGUMENT | PartKind.ENVIRONMENT | PartKind.EXECFN | PartKind.PLATFORM:
            text = part.contents.rstrip(b"\0").decode("utf-8", "surrogateescape")
            return f"“{shortened(printable(text), _LONGEST_TEXT)}”"
    return ""


def _auxiliary(kind: int, value: int) -> str:
    if kind == AuxType.AT_NULL:
        return tr("end of auxv")
    return f"{value:#x}" if kind in _IN_HEXADECIMAL or value > 1 << 16 else str(value)
