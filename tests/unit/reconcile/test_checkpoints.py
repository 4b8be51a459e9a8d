from __future__ import annotations

import pytest

from inspector.model.snapshot import Snapshot
from inspector.reconcile.checkpoints import distinct


@pytest.mark.parametrize(
    ("names", "named"),
    [
        ([], []),
        (["exec", "main"], ["exec", "main"]),
        (["main", "main", "main"], ["main", "main#2", "main#3"]),
        (["main", "main", "main#2"], ["main", "main#3", "main#2"]),
        (["main#2", "main#2", "main"], ["main#2", "main#2#2", "main"]),
    ],
)
def test_every_stop_has_a_name_of_its_own(names: list[str], named: list[str]) -> None:
    assert [snapshot.checkpoint for snapshot in distinct([Snapshot(name) for name in names])] == named


def test_nothing_but_the_name_changes_and_many_take_no_longer() -> None:
    many = [Snapshot("main", minor_faults=number) for number in range(50_000)]
    renamed = distinct(many)
    assert [snapshot.minor_faults for snapshot in renamed] == list(range(50_000))
    assert len({snapshot.checkpoint for snapshot in renamed}) == 50_000
