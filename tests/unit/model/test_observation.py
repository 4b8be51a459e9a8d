"""What an observation knows of its own completeness."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inspector.model.fault_trace import FaultSource
from tests.golden.report import hello
from tests.unit.reconcile.agreeing import seen


@pytest.mark.parametrize("source", FaultSource)
def test_faults_are_a_count_if_those_of_both_modes_were_seen(source: FaultSource) -> None:
    found = replace(seen(hello.PREDICTION), faults=(), fault_source=source.value)
    assert found.saw_every_fault is (source is not FaultSource.SOFTWARE_USER)


def test_faults_are_no_count_if_some_are_missing() -> None:
    found = replace(seen(hello.PREDICTION), faults=(), fault_source=FaultSource.TRACEPOINTS.value)
    assert not replace(found, faults=None).saw_every_fault
    assert not replace(found, faults_lost=1).saw_every_fault
    assert not replace(found, faults_complete=False).saw_every_fault
