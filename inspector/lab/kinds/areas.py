"""Questions about virtual memory areas: the whole list at a stop, or one field of one of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from inspector.lab.evidence import snapshot_at
from inspector.lab.grading import by_place
from inspector.lab.kinds.base import Question
from inspector.lab.needs import Needs, NotTold
from inspector.lab.table import (
    NUMBER,
    BadAnswer,
    Column,
    Row,
    Truth,
    quoted,
    read_address,
    read_name,
    show_hex,
    show_plain,
)
from inspector.model.address import PAGE_SIZE
from inspector.model.vma import FileBacking

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inspector.lab.evidence import Evidence
    from inspector.lab.table import Value
    from inspector.lab.variant import Variant
    from inspector.model.vma import Vma

_LINE = re.compile(
    r"(?:0x)?(?P<start>[0-9a-fA-F]{1,16})\s*-\s*(?:0x)?(?P<end>[0-9a-fA-F]{1,16})\s+(?P<perms>[r-][w-][x-][ps])"
    r"(?:\s+(?:0x)?(?P<offset>[0-9a-fA-F]{1,16}))?"
    r"(?:\s+[0-9a-fA-F]+:[0-9a-fA-F]+\s+[0-9]+)?"
    r"(?:\s+(?P<name>\S.*))?",
    re.ASCII,
)
_PROGRAM = "prog"
_FORM = "write it as /proc/PID/maps does: 08048000-08049000 r-xp 00000000 prog"


def read_perms(text: str) -> Value:
    """Return the permission column of a maps line. Raises BadAnswer."""
    word = text.strip().lower()
    if not re.fullmatch(r"[r-][w-][x-][ps]", word):
        raise BadAnswer(f"{quoted(text)} are no permissions", help="write four letters, as in r-xp")
    return word


def area_name(text: str) -> str:
    """Return what stands for an area's name: `[stack]`, `prog` for any file, nothing for anonymous memory."""
    name = read_name(text)
    if not name or name in ("-", "(none)", "anonymous", "none"):
        return ""
    return name if name.startswith("[") else _PROGRAM


_START, _END = Column("start", read_address, show_hex), Column("end", read_address, show_hex)
_PERMS, _OFFSET = Column("perms", read_perms, show_plain), Column("offset", read_address, show_hex)
AREA_COLUMNS = (_START, _END, _PERMS, _OFFSET, Column("name", area_name, show_plain))


def read_area(text: str) -> tuple[Value | None, ...]:
    """Return the cells of a line of maps; device, inode and offset may be left out. Raises BadAnswer."""
    found = _LINE.fullmatch(text.strip())
    if found is None:
        raise BadAnswer(f"{quoted(text)} is not a line of maps", help=_FORM)
    offset = int(found["offset"] or "0", 16)
    return (
        int(found["start"], 16),
        int(found["end"], 16),
        found["perms"],
        offset,
        area_name(found["name"] or ""),
    )


def area_cells(vma: Vma) -> tuple[Value | None, ...]:
    """Return the cells of an area that was seen."""
    name = _PROGRAM if isinstance(vma.backing, FileBacking) else area_name(vma.name)
    return vma.start, vma.end, vma.perms, vma.offset, name


def area_rows(areas: Iterable[Vma], without: Sequence[str], why: str, before: str = "") -> tuple[Row, ...]:
    """Return a row for each area but those named in `without`; the keys, which students see, are numbers."""
    asked = [cells for cells in map(area_cells, areas) if cells[-1] not in without]
    return tuple(Row(f"{before}area {number}", cells, why) for number, cells in enumerate(asked, 1))


def seen_areas(
    question: Question, variant: Variant, evidence: Evidence, stop: str
) -> tuple[tuple[Vma, ...], str]:
    """Return the areas at a stop, and the source. Raises NotTold."""
    contents = variant.files[variant.program or ""]
    observation, source = evidence.observe(contents, variant.arguments, question.evidence)
    snapshot = snapshot_at(observation, stop)
    if snapshot.vmas is None:
        raise NotTold("the areas were not seen")
    return snapshot.vmas, source


class AtStop(Question, frozen=True, kw_only=True):
    """A question about the process at one stop: `exec`, `main` or `exit`."""

    stop: Literal["exec", "main", "exit"] = "exec"

    @property
    def evidence(self) -> Needs:
        """The first stop needs no debugger."""
        return Needs.EXEC if self.stop == "exec" else Needs.STOPS


class VmaList(AtStop, frozen=True, kw_only=True, tag="vma-list"):
    """Every area of the process at a stop, in any order."""

    without: tuple[str, ...] = ()
    """Names of areas that are not asked for: `[vvar]`."""

    matching = staticmethod(by_place)

    def columns(self) -> tuple[Column, ...]:
        """Return those of maps that a loader decides."""
        return AREA_COLUMNS

    def line(self, text: str) -> tuple[Value | None, ...]:
        """Return the cells of a line of maps; an area that is not asked for is left out."""
        cells = read_area(text)
        return (None,) * len(cells) if cells[-1] in self.without else cells

    def form(self) -> str:
        """Return the form of a line."""
        return "a line for each area, as in /proc/PID/maps; device and inode may be left out"

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return the areas at the stop."""
        areas, source = seen_areas(self, variant, evidence, self.stop)
        return Truth(area_rows(areas, self.without, self.why), source)


_FIELDS: dict[str, Column] = {
    "start": _START,
    "end": _END,
    "perms": _PERMS,
    "offset": _OFFSET,
    "pages": NUMBER,
}


class VmaField(AtStop, frozen=True, kw_only=True, tag="vma-field"):
    """One field of the area with a name (`[stack]`), or of the one that holds a mark of the program."""

    area: str
    field: Literal["start", "end", "perms", "offset", "pages"]

    def columns(self) -> tuple[Column, ...]:
        """Return the field's."""
        return (_FIELDS[self.field],)

    def keys(self, variant: Variant) -> tuple[str, ...]:
        """There is one row."""
        del variant
        return (self.field,)

    def given(self, variant: Variant) -> str:
        """Return the address, if the area is named by one."""
        return f"{self.area} is {variant.marks[self.area]:#x}" if self.area in variant.marks else ""

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return the field. Raises NotTold where there is no such area."""
        areas, source = seen_areas(self, variant, evidence, self.stop)
        address = variant.marks.get(self.area)
        for vma in areas:
            if vma.name == self.area or (address is not None and address in vma.range):
                fields: dict[str, Value] = {
                    "start": vma.start,
                    "end": vma.end,
                    "perms": vma.perms,
                    "offset": vma.offset,
                    "pages": vma.range.size_bytes // PAGE_SIZE,
                }
                return Truth((Row(self.field, (fields[self.field],), self.why),), source)
        raise NotTold(f"there is no area {self.area}")
