"""A program whose path is markup, quotes and a newline."""

from __future__ import annotations

from dataclasses import replace

from inspector.model.vma import FileBacking, Vma
from inspector.reconcile import Reconciliation
from tests.golden.report import scenes

HOSTILE = '/tmp/<script>alert("1")</script>\n\'<b>&amp;"\u202e/hello'  # noqa: S108


def hostile() -> Reconciliation:
    """Return a run of it that agrees in everything."""
    both = scenes.faulting()
    program = replace(both.prediction.program, path=HOSTILE, requested=HOSTILE, argv=(HOSTILE,))

    def moved(area: Vma | None) -> Vma | None:
        if area is None or not isinstance(area.backing, FileBacking):
            return area
        return replace(area, backing=replace(area.backing, path=HOSTILE))

    def elsewhere(areas: tuple[Vma, ...] | None) -> tuple[Vma, ...]:
        return tuple(area for area in map(moved, areas or ()) if area is not None)

    prediction = replace(
        both.prediction,
        program=program,
        snapshots=tuple(replace(each, vmas=elsewhere(each.vmas)) for each in both.prediction.snapshots),
        faults=tuple(replace(fault, area=moved(fault.area)) for fault in both.prediction.faults or ()),
    )
    observation = replace(
        both.observation,
        program=program,
        snapshots=tuple(replace(each, vmas=elsewhere(each.vmas)) for each in both.observation.snapshots),
    )
    return Reconciliation(prediction, observation, both.findings)
