"""The timeline of page faults, as a page holds it: a column for each of a fault's facts.

What follows from them by arithmetic (the way through the page tables, the place in the file) is left to the
page; what is known only here (the area found, the entry written, the rule, the finding) is told by number.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from inspector.language import tr
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, vpn_of
from inspector.model.fault import Fault, FaultKind, FaultMode
from inspector.model.page import PageKind
from inspector.model.vma import Access, FileBacking, Vma
from inspector.reconcile.faults import RULES_OF_KINDS
from inspector.report.document import Mark
from inspector.report.faults import marks_of_faults, place_of
from inspector.report.html.columns import MOST_EXACT, Numbering, column
from inspector.report.text import counted, printable
from inspector.rules import RULES
from inspector.story.faults import WORDS_OF_KINDS
from inspector.view.areas import kind_of
from inspector.view.tables import entry_of, level_names, tables_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from inspector.model.finding import Finding
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.profile import PageTableGeometry
    from inspector.model.snapshot import Snapshot
    from inspector.view.tables import Table

    FunctionAt = Callable[[int], str]

MOST_FAULTS = 200_000
"""As many as a browser opens and steps through without lag."""
_NONE = 0
_LARGEST_FOLIO = 512
"""Pages: what one entry of the level above could map (HPAGE_PMD_NR)."""
_ACCESSES = {None: 0, Access.READ: 1, Access.WRITE: 2, Access.EXECUTE: 3}
_KINDS = tuple(FaultKind)
_CELLS = {
    FaultKind.ZERO_PAGE: PageKind.ZERO,
    FaultKind.FILE_READ: PageKind.FILE,
    FaultKind.FILE_SHARED: PageKind.FILE,
    FaultKind.SPECIAL: PageKind.SPECIAL,
    FaultKind.REFUSED: None,
}
"""What a page is that a fault of the kind made resident; of all others, the process's own."""
_MARKS = (None, *Mark)


def cell_kind(kind: FaultKind | None) -> PageKind | None:
    """Return the kind of page that a fault leaves; None: none, or it is not known."""
    return None if kind is None else _CELLS.get(kind, PageKind.ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The faults of a page."""

    faults: Sequence[Fault]
    """In the order they were taken, at most MOST_FAULTS."""
    total: int
    """How many there are, those left out with them."""
    data: dict[str, Any]
    """What the page's scripts read."""

    @property
    def left_out(self) -> str:
        """What is not among `faults`, in words; empty if all are."""
        if self.total == len(self.faults):
            return ""
        return tr(
            "These are the first {shown} of {total} faults. The other {rest} are left out; "
            "--json FILE writes them all."
        ).format(
            shown=f"{len(self.faults):,}",
            total=f"{self.total:,}",
            rest=counted(self.total - len(self.faults), "fault"),
        )


def timeline_of(
    prediction: Prediction,
    observation: Observation | None,
    findings: Sequence[Finding],
    most: int = MOST_FAULTS,
    function_at: FunctionAt = lambda _: "",
) -> Timeline | None:
    """Return the predicted faults, or the observed ones where none are predicted; None without either.

    `function_at` names the function at an address of the process: `main+0x12`, or nothing.
    """
    every = prediction.faults
    if every is None and observation is not None:
        every = observation.faults
    if not every:
        return None
    faults = list(islice(every, most))
    geometry = prediction.profile.page_tables
    areas: Numbering[Vma] = Numbering()
    symbols: Numbering[str] = Numbering()
    frames = _Frames(observation, faults)
    mapped = [pages_around(fault) for fault in faults]
    known = cache(function_at)

    def named(fault: Fault) -> str:
        """Return the function of the user's instruction; what the fault itself tells comes first."""
        ip = _instruction(fault)
        return printable(fault.symbol or ("" if ip is None else known(ip)))

    columns: dict[str, list[int]] = {
        "process": [min(fault.process, MOST_EXACT) for fault in faults],
        "kernel": [fault.mode is FaultMode.KERNEL for fault in faults],
        "access": [_ACCESSES[fault.access] for fault in faults],
        "present": [2 if fault.protection is None else fault.protection for fault in faults],
        "kind": [_NONE if fault.kind is None else 1 + _KINDS.index(fault.kind) for fault in faults],
        "area": [_NONE if fault.area is None else 1 + areas.of(fault.area) for fault in faults],
        "page": [vpn_of(fault.address) for fault in faults],
        "offset": [fault.address % PAGE_SIZE for fault in faults],
        "ipPage": [0 if (ip := _instruction(fault)) is None else 1 + vpn_of(ip) for fault in faults],
        "ipOffset": [(_instruction(fault) or 0) % PAGE_SIZE for fault in faults],
        "symbol": [1 + symbols.of(name) if (name := named(fault)) else _NONE for fault in faults],
        "before": [
            vpn_of(fault.address) - reached.start for fault, reached in zip(faults, mapped, strict=True)
        ],
        "count": [len(reached) for reached in mapped],
        "entry": [_entry(fault, geometry) for fault in faults],
        "tables": list(_first_needed(faults, geometry, pages_before_faults(prediction, faults))),
        "frame": list(frames.of_all()),
        "mark": [_MARKS.index(mark) for mark in _all_marks(faults, findings)],
    }
    data = {
        "count": len(faults),
        "columns": {name: column(numbers) for name, numbers in columns.items()},
        "areas": _areas(areas.all()),
        "symbols": symbols.all(),
        "kinds": [_kind(kind) for kind in _KINDS],
        "rules": _rules(faults),
        "geometry": {
            "names": level_names(geometry),
            "bits": geometry.index_bits,
            "entryBytes": geometry.entry_bytes,
        },
        "frameSeenAt": frames.stop,
        "findings": dict(_by_fault(faults, findings)),
        "processes": len({fault.process for fault in faults}),
        "predicted": prediction.faults is not None,
    }
    return Timeline(faults, len(every), data)


def snapshot_at_exec(prediction: Prediction) -> Snapshot | None:
    """Return the prediction's snapshot at exec."""
    return next((each for each in prediction.snapshots if each.checkpoint == "exec"), None)


def pages_before_faults(prediction: Prediction, faults: Sequence[Fault]) -> list[int]:
    """Return the numbers of the pages that execve makes resident without a fault: those of the strings.

    They are those at exec that none of execve's own faults maps. These come first, and are the kernel's.
    """
    snapshot = snapshot_at_exec(prediction)
    own = takewhile(lambda fault: fault.mode is FaultMode.KERNEL, (f for f in faults if f.process == 0))
    mapped = {vpn for fault in own for vpn in mapped_pages(fault)}
    pages = (snapshot.pages if snapshot is not None else None) or ()
    return [page.vpn for page in pages if page.vpn not in mapped]


def mapped_pages(fault: Fault) -> range:
    """Return the numbers of the pages that a fault made resident."""
    return range(0) if fault.kind is FaultKind.REFUSED else pages_around(fault)


def pages_around(fault: Fault) -> range:
    """Return the numbers of the page that was touched and of its neighbours that came with it.

    No fault brings more than the largest folio; a document that claims it is not followed.
    """
    page = vpn_of(fault.address)
    if fault.mapped is not None:
        pages = range(fault.mapped.start >> PAGE_SHIFT, fault.mapped.end >> PAGE_SHIFT)
        if page in pages and len(pages) <= _LARGEST_FOLIO:
            return pages
    return range(page, page + 1)


def _instruction(fault: Fault) -> int | None:
    """Return the user's instruction; of the kernel's own accesses there is none to tell."""
    return None if fault.mode is FaultMode.KERNEL else fault.ip


def _entry(fault: Fault, geometry: PageTableGeometry) -> int:
    """Return bit 0: an entry is written; bit 1: writable; bit 2: no-execute."""
    entry = entry_of(fault, geometry)
    return 0 if entry is None else 1 | entry.writable << 1 | entry.no_execute << 2


def _first_needed(
    faults: Iterable[Fault], geometry: PageTableGeometry, resident: Iterable[int]
) -> Iterator[int]:
    """Yield for each fault bit n for a table of depth n that no page needed before; of process 0 alone.

    What another process has from its parent, fork decided.
    """
    there: set[Table] = {table for vpn in resident for table in tables_of(geometry, vpn)}
    reach = 1 << geometry.index_bits[-1]
    for fault in faults:
        if fault.process or entry_of(fault, geometry) is None:
            yield 0
            continue
        yield sum(1 << depth for depth, _ in tables_of(geometry, vpn_of(fault.address)) - there)
        pages = mapped_pages(fault)
        for vpn in (*pages[::reach], *pages[-1:]):
            there |= tables_of(geometry, vpn)


class _Frames:
    """The frames that were observed at the last stop, where a fault's page cannot have changed since."""

    def __init__(self, observation: Observation | None, faults: Sequence[Fault]) -> None:
        snapshots = () if observation is None else observation.snapshots
        last = snapshots[-1] if snapshots else None
        self.stop = "" if last is None else printable(last.checkpoint)
        self._pages = {page.vpn: page for page in (last.pages if last is not None else None) or ()}
        self._faults = faults

    def of_all(self) -> list[int]:
        """Return the frame that each fault of process 0 mapped; 0 where no one could see it.

        A page's last fault left it as it is at the last stop, if the page is still of the kind it made.
        """
        numbers = [_NONE] * len(self._faults)
        later: set[int] = set()
        for position in range(len(self._faults) - 1, -1, -1):
            fault = self._faults[position]
            vpn = vpn_of(fault.address)
            if fault.process or vpn in later:
                continue
            later.add(vpn)
            page = self._pages.get(vpn)
            kind = cell_kind(fault.kind)
            if (
                page is not None
                and page.pfn
                and page.pfn <= MOST_EXACT
                and kind is not None
                and page.kind is kind
            ):
                numbers[position] = page.pfn
        return numbers


def _areas(vmas: Sequence[Vma]) -> dict[str, Any]:
    perms: Numbering[str] = Numbering()
    names: Numbering[str] = Numbering()
    kinds: Numbering[str] = Numbering()
    columns: dict[str, list[int]] = {
        "start": [vma.start >> PAGE_SHIFT for vma in vmas],
        "end": [vma.end >> PAGE_SHIFT for vma in vmas],
        "perms": [perms.of(vma.perms) for vma in vmas],
        "name": [names.of(printable(vma.name)) for vma in vmas],
        "file": [isinstance(vma.backing, FileBacking) for vma in vmas],
        "offset": [vma.offset >> PAGE_SHIFT for vma in vmas],
        "kind": [kinds.of(kind_of(vma).value) for vma in vmas],
    }
    return {
        "columns": {name: column(numbers) for name, numbers in columns.items()},
        "perms": perms.all(),
        "names": names.all(),
        "kinds": kinds.all(),
    }


def _kind(kind: FaultKind) -> dict[str, str | None]:
    cell = cell_kind(kind)
    return {
        "name": tr(kind.value),
        "words": tr(WORDS_OF_KINDS[kind]),
        "rule": RULES_OF_KINDS[kind],
        "cell": None if cell is None else cell.value,
    }


def _rules(faults: Iterable[Fault]) -> dict[str, dict[str, str]]:
    used = {RULES_OF_KINDS[kind] for kind in {fault.kind for fault in faults} if kind is not None}
    return {
        rule: {
            "statement": tr(RULES[rule].statement),
            "reason": tr(RULES[rule].reason),
            "source": RULES[rule].source,
        }
        for rule in sorted(used)
        if rule in RULES
    }


def _all_marks(faults: Sequence[Fault], findings: Sequence[Finding]) -> list[Mark | None]:
    """Return how each fault fared, whatever its process."""
    marks: list[Mark | None] = [None] * len(faults)
    places: dict[int, list[int]] = {}
    for position, fault in enumerate(faults):
        places.setdefault(fault.process, []).append(position)
    for process, positions in places.items():
        mark = marks_of_faults(process, [faults[position] for position in positions], findings)
        for number, position in enumerate(positions):
            marks[position] = mark(number)
    return marks


def _by_fault(
    faults: Sequence[Fault], findings: Sequence[Finding]
) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yield the position of each fault that a finding is about, with what was seen in its place."""
    where: dict[tuple[int, int], int] = {}
    last: Counter[int] = Counter()
    for position, fault in enumerate(faults):
        last[fault.process] += 1
        where[fault.process, last[fault.process]] = position
    for finding in findings:
        place = place_of(finding)
        if place is not None and place in where:
            yield (
                where[place],
                {
                    "predicted": printable(finding.predicted),
                    "observed": printable(finding.observed),
                    "rule": finding.rule,
                },
            )
