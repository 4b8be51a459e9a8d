"""Pages that fault-around was predicted to map, and passed over (rule `fault.passed-over`).

Such a page is absent until it is touched, and then takes a fault that was not predicted. Nothing else
changes: so it is a page that an earlier fault was to map in passing, that no fault was predicted or seen on
before. And something that locks pages must have been seen at work in the very run.

Two runs are observed. In the one of which the faults are recorded, the fault itself is seen. In the one that
stops, the page is absent at a stop, or is there after one more minor fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Self

from inspector.model.address import AddressRange, address_of, vpn_of
from inspector.model.page import PageKind
from inspector.model.vma import Access, FileBacking

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inspector.model.address import VirtAddr, Vpn
    from inspector.model.fault import Fault
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.snapshot import Snapshot

PASSED_OVER = "fault.passed-over"


def explains_extra_fault(
    observation: Observation, extra: Fault, predicted: Sequence[Fault], earlier: Sequence[Fault]
) -> bool:
    """Whether `extra`, an observed fault without a partner, is on a page that was passed over.

    `predicted` are the faults of its process that were predicted up to there, `earlier` the observed ones
    that have no equal among them. That the page was not unmapped since is the prediction's own word: it has
    no fault at this touch.
    """
    return (
        observation.reclaim_at_faults is not None
        and extra.access is not Access.WRITE
        and not extra.protection
        and mapped_in_passing(extra.page, predicted)
        and all(fault.page != extra.page for fault in earlier)
    )


@dataclass(frozen=True, slots=True)
class Candidates:
    """The pages of a program that may have been passed over in the run that stops."""

    windows: tuple[AddressRange, ...] = ()
    """What its faults were to map of files."""
    own: frozenset[Vpn] = frozenset()
    """Pages that a fault was predicted on."""

    @classmethod
    def of(cls, prediction: Prediction, observation: Observation) -> Self:
        """Return none at all where nothing that locks pages was seen at work."""
        if observation.reclaim_at_stops is None:
            return cls()
        faults = [fault for fault in prediction.faults or () if fault.process == 0]
        windows = tuple(window for fault in faults if (window := _mapped_of_a_file(fault)) is not None)
        return cls(windows, frozenset(vpn_of(fault.page) for fault in faults))

    def __contains__(self, vpn: Vpn) -> bool:
        address = address_of(vpn)
        return vpn not in self.own and any(address in window for window in self.windows)

    def explain_counts(self, predicted: Snapshot, observed: Snapshot) -> bool:
        """Whether so many are resident on both sides as there are minor faults more than predicted."""
        if predicted.major_faults != observed.major_faults:
            return False
        match predicted.minor_faults, observed.minor_faults:
            case int(mine), int(seen) if mine < seen:
                both = _file_pages(predicted) & _file_pages(observed)
                there = (vpn for vpn in both if vpn in self)
                return len(list(islice(there, seen - mine))) == seen - mine
        return False


def mapped_in_passing(page: VirtAddr, faults: Iterable[Fault]) -> bool:
    """Whether one of `faults` maps `page` of a file beside its own, and none is on that page itself."""
    passing = False
    for fault in faults:
        if fault.page == page:
            return False
        window = _mapped_of_a_file(fault)
        passing = passing or (window is not None and page in window)
    return passing


def _mapped_of_a_file(fault: Fault) -> AddressRange | None:
    """Return what `fault` maps of its area's file; None where that is nothing."""
    if fault.mapped is None or fault.area is None or not isinstance(fault.area.backing, FileBacking):
        return None
    start, end = max(fault.mapped.start, fault.area.start), min(fault.mapped.end, fault.area.end)
    return AddressRange(start, end) if start < end else None


def _file_pages(snapshot: Snapshot) -> set[Vpn]:
    return {page.vpn for page in snapshot.pages or () if page.kind is PageKind.FILE}
