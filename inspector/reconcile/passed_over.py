"""Pages that fault-around was predicted to map, and passed over (rule `fault.passed-over`).

Such a page is absent until it is touched, and then takes a fault that was not predicted. Nothing else
changes: so it is a page that an earlier fault was to map in passing, that no fault was predicted or seen on
before, and that stays mapped. And something that locks pages must have been seen at work in the very run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.address import vpn_of
from inspector.model.vma import Access, FileBacking

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inspector.model.address import VirtAddr
    from inspector.model.fault import Fault
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction

RULE = "fault.passed-over"


def explains_extra_fault(
    prediction: Prediction,
    observation: Observation,
    extra: Fault,
    predicted: Sequence[Fault],
    earlier: Sequence[Fault],
) -> bool:
    """Whether `extra`, an observed fault without a partner, is on a page that was passed over.

    `predicted` are the faults of its process that were predicted up to there, `earlier` the observed ones
    that have no equal among them.
    """
    return (
        observation.reclaim_at_faults is not None
        and extra.access is not Access.WRITE
        and not extra.protection
        and mapped_in_passing(extra.page, predicted)
        and all(fault.page != extra.page for fault in earlier)
        and not _unmapped_at_the_end(prediction, extra)
    )


def mapped_in_passing(page: VirtAddr, faults: Iterable[Fault]) -> bool:
    """Whether one of `faults` maps `page` of a file beside its own, and none is on that page itself."""
    passing = False
    for fault in faults:
        if fault.page == page:
            return False
        passing = passing or _maps_a_files_page(fault, page)
    return passing


def _maps_a_files_page(fault: Fault, page: VirtAddr) -> bool:
    return (
        fault.mapped is not None
        and page in fault.mapped
        and fault.area is not None
        and page in fault.area.range
        and isinstance(fault.area.backing, FileBacking)
    )


def _unmapped_at_the_end(prediction: Prediction, fault: Fault) -> bool:
    """Whether the last prediction of what is resident lacks the page; there is none of forked processes."""
    if fault.process or not prediction.snapshots:
        return False
    pages = prediction.snapshots[-1].pages
    return pages is not None and all(page.vpn != vpn_of(fault.page) for page in pages)
