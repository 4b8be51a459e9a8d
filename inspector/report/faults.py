"""Page faults as a table, one a line in the order they were taken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inspector.language import N_, tr
from inspector.model.address import PAGE_SHIFT
from inspector.model.fault import FaultMode
from inspector.model.finding import Verdict
from inspector.model.vma import Access, FileBacking
from inspector.reconcile.faults import CHECKPOINT, KERNEL_FAULTS, NO_FAULT
from inspector.report.document import Block, Column, Mark, Paragraph, Row, Section, Table
from inspector.report.findings import aspects_table
from inspector.report.judge import MARKS, worst
from inspector.report.text import counted, process_name
from inspector.view.areas import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inspector.model.fault import Fault
    from inspector.model.finding import Finding
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.vma import Vma

_COLUMNS = (
    Column("#", right=True),
    Column("access"),
    Column("page"),
    Column("by", flexible=True),
    Column("area", flexible=True),
    Column("offset", right=True, optional=True),
    Column("kind"),
    Column("pages", right=True, optional=True),
)
_ACCESSES = {Access.READ: N_("read"), Access.WRITE: N_("write"), Access.EXECUTE: N_("exec")}
_MOST_ROWS = 40
_WHAT_IT_MEANS = N_(
    "`inspector rules fault` tells what each kind is, and why the kernel's counters may be higher: they "
    "count the pages of the initial stack, too."
)
_PLACE = re.compile(r"(?P<from>from )?#(?P<number>\d+)")
_ONE_PLACE = re.compile(r"(?:process (?P<process>\d+) )?#(?P<number>\d+)")


def fault_table(faults: Sequence[Fault], mark: Callable[[int], Mark | None] = lambda _: None) -> Table:
    """Return `faults` as a table; `mark` gives the mark of the one at a position.

    `access` has a `!` where the page was present and forbade it. `by` is the function or the address of the
    user's instruction, or the kernel at work for it; `area` the file or the kernel's name for it. `offset` is
    where the page lies in its file, `pages` counts those that were mapped: both are left out where there is
    no room.
    """
    rows = (
        Row(_cells(number, fault), mark(number), None if fault.area is None else kind_of(fault.area))
        for number, fault in enumerate(faults)
    )
    return Table(_COLUMNS, tuple(rows))


def _cells(number: int, fault: Fault) -> tuple[str, ...]:
    access = "" if fault.access is None else tr(_ACCESSES[fault.access])
    mapped, offset = fault.mapped, fault.file_offset
    return (
        str(number + 1),
        access + ("!" if fault.protection else ""),
        f"{fault.page:08x}",
        _instruction(fault),
        "" if fault.area is None else _area_name(fault.area),
        "" if offset is None else f"{offset:#x}",
        "" if fault.kind is None else tr(fault.kind.value),
        "" if mapped is None else str(mapped.size_bytes >> PAGE_SHIFT),
    )


def _instruction(fault: Fault) -> str:
    """Return who touched the page: the function or the instruction, or the kernel."""
    if fault.mode is FaultMode.KERNEL:
        return tr("kernel")
    return fault.symbol or ("" if fault.ip is None else f"{fault.ip:08x}")


def _area_name(area: Vma) -> str:
    """Return the area's permissions and its name: for a file the last part of its path."""
    name = area.name.rpartition("/")[2] if isinstance(area.backing, FileBacking) else area.name
    return f"{area.perms[:3]} {name or tr('anonymous')}"


def fault_sections(
    prediction: Prediction | None,
    observation: Observation | None,
    findings: Sequence[Finding],
    *,
    verbose: bool = False,
) -> tuple[Section, ...]:
    """Return the section of the fault sequences; none if neither wing has one.

    Where both have, the predicted ones are shown, for they tell more; how the observed ones differ is told
    with the differences.
    """
    predicted = None if prediction is None else prediction.faults
    observed = None if observation is None else observation.faults
    faults = observed if predicted is None else predicted
    if faults is None:
        return ()
    # How it ended stands at the end of the report, in full: a column would be too narrow for it.
    here = [
        finding for finding in findings if finding.checkpoint == CHECKPOINT and finding.aspect != "ending"
    ]
    blocks: list[Block] = [aspects_table(here)] if here else []
    processes = sorted({fault.process for fault in faults})
    for process in processes:
        of_process = [fault for fault in faults if fault.process == process]
        if len(processes) > 1:
            blocks.append(Paragraph(f"{process_name(process)}{tr(', ')}{counted(len(of_process), 'fault')}"))
        shown = of_process if verbose else of_process[:_MOST_ROWS]
        blocks.append(fault_table(shown, marks_of_faults(process, shown, here)))
        if len(shown) < len(of_process):
            rest = len(of_process) - len(shown)
            blocks.append(
                Paragraph(
                    tr("and {more} more; --verbose shows all {count}").format(
                        more=rest, count=len(of_process)
                    )
                )
            )
    if faults:
        blocks.append(Paragraph(_WHAT_IT_MEANS))
    return (Section("Page faults from execve on", tuple(blocks), worst(here)),)


def place_of(finding: Finding) -> tuple[int, int] | None:
    """Return the process and the number of the predicted fault that a finding is about; None: of no one."""
    place = _ONE_PLACE.fullmatch(finding.where) if finding.aspect == "faults" else None
    if place is None or finding.predicted in ("", NO_FAULT):
        return None
    return int(place["process"] or 0), int(place["number"])


def marks_of_faults(
    process: int, faults: Sequence[Fault], findings: Sequence[Finding]
) -> Callable[[int], Mark | None]:
    """Return what gives the mark of the fault at a position, by what the findings say of it.

    `faults`: those of the process, from its first on; `findings`: those of the run.
    """
    if not findings:
        return lambda _: None
    kernel_hidden = any(finding.aspect == KERNEL_FAULTS for finding in findings)
    before = f"process {process} " if process else ""
    whole = [finding for finding in findings if finding.aspect == "faults" and not finding.where]
    otherwise = worst(whole) or Mark.GOOD
    of_one: dict[int, Mark] = {}
    from_here: list[tuple[int, Mark | None]] = [(0, otherwise)]
    for finding in findings:
        place = _PLACE.fullmatch(finding.where.removeprefix(before))
        if place is None or finding.predicted in ("", NO_FAULT):
            continue
        position = int(place["number"]) - 1
        if not place["from"]:
            of_one[position] = MARKS[finding.verdict]
        else:
            # Of differences that were only counted, no one can say which they are.
            counted_only = finding.verdict is Verdict.DIFFERS
            from_here.append((position, None if counted_only else MARKS[finding.verdict]))
    from_here.sort(key=lambda item: item[0])

    def mark(position: int) -> Mark | None:
        if kernel_hidden and faults[position].mode is FaultMode.KERNEL:
            return MARKS[Verdict.UNOBSERVED]
        default = next(mark for start, mark in reversed(from_here) if start <= position)
        return of_one.get(position, default)

    return mark
