"""Telling apart the stops at a place that a program passes more than once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.snapshot import Snapshot


def distinct(snapshots: Sequence[Snapshot]) -> tuple[Snapshot, ...]:
    """Name every checkpoint that was there before `NAME#2`, `NAME#3`, ..., so that none hides another."""
    taken = {snapshot.checkpoint for snapshot in snapshots}
    times: Counter[str] = Counter()
    named: list[Snapshot] = []
    for snapshot in snapshots:
        name = snapshot.checkpoint
        times[name] += 1
        if times[name] == 1:
            named.append(snapshot)
            continue
        while f"{name}#{times[name]}" in taken:
            times[name] += 1
        label = f"{name}#{times[name]}"
        taken.add(label)
        named.append(replace(snapshot, checkpoint=label))
    return tuple(named)
