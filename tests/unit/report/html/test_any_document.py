"""A saved document may hold anything: it becomes a page all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.model.address import AddressRange, VirtAddr
from inspector.reconcile import Reconciliation
from inspector.report.check import check_document, prediction_document
from inspector.report.html import Subject, page
from inspector.report.html.faults import mapped_pages, timeline_of
from inspector.report.html.words import rough_size
from tests.golden.report import hello
from tests.unit.model.document_strategies import checks

if TYPE_CHECKING:
    from inspector.model.document.check import Check


@given(checks)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_check_holds_it_becomes_a_page(check: Check) -> None:
    if check.observation is None:
        document = prediction_document(check.prediction)
    else:
        document = check_document(Reconciliation(check.prediction, check.observation, check.findings))
    html = page(Subject(check.prediction, check.observation, check.findings, document)).decode()
    assert html.count("<h1") == 1


def test_a_fault_that_claims_the_whole_address_space_maps_its_own_page() -> None:
    everything = AddressRange(VirtAddr(0), VirtAddr((1 << 64) - 4096))
    fault = replace(hello.FAULTS[2], mapped=everything)
    assert list(mapped_pages(fault)) == [0x080EE]
    assert timeline_of(replace(hello.PREDICTION, faults=(fault,)), None, ()) is not None


@given(st.integers(0, 1 << 64))
def test_a_size_has_three_digits_or_four(size_bytes: int) -> None:
    number, unit = rough_size(size_bytes).split()
    assert 0 <= float(number) <= 1024
    assert len(number) <= 4
    assert unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
