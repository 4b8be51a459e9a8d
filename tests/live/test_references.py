"""The instructions that are simulated, and the pages they refer to, against a processor that single-steps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import PAGE_SHIFT
from inspector.observe import ptrace
from inspector.observe.folios import folio_layout
from inspector.observe.launch import launch as launched
from inspector.predict import predict
from inspector.predict.machine.references import PageReferences
from tests.live.launches import launch

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program

BUILT = Path(__file__).parents[2] / "fixtures/build"
PTRACE_SINGLESTEP = 9
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not os.access(BUILT / "hello", os.X_OK), reason="fixtures not built"),
]


class Addresses(PageReferences):
    """Remembers the address of every instruction, too."""

    def clear(self) -> None:
        super().clear()
        self.addresses: list[int] = []

    def fetch(self, address: int, size: int) -> None:
        if self.instructions == 0 or address != self.addresses[-1]:
            self.addresses.append(address)
        super().fetch(address, size)


def stepped(program: Program) -> list[int]:
    """Return the address of every instruction that the processor runs; repetitions of one are one."""
    addresses: list[int] = []
    with launched(program) as process:
        while True:
            at = ptrace.registers(process.pid).eip
            if not addresses or addresses[-1] != at:
                addresses.append(at)
            ptrace._request(PTRACE_SINGLESTEP, process.pid)
            if not isinstance(process.wait(10), ptrace.Stopped):
                return addresses


@pytest.mark.parametrize("name", ["hello", "hello_nostdlib", "hello_static_pie", "bss_tail"])
def test_the_processor_runs_the_same_instructions(name: str, profile: MachineProfile) -> None:
    path = BUILT / name
    if not path.exists():
        pytest.skip("this compiler does not build it")
    references = Addresses()
    predict(launch(path), profile, folios=folio_layout, references=references)
    assert references.addresses == stepped(launch(path))
    assert references.instructions == len(references.addresses)
    # What is fetched is referred to.
    assert {address >> PAGE_SHIFT for address in references.addresses} <= {*references.pages}


def test_references_do_not_depend_on_when_one_looks(profile: MachineProfile) -> None:
    strings = []
    for _ in range(3):
        references = PageReferences()
        predict(launch(BUILT / "hello"), profile, folios=folio_layout, references=references)
        strings.append((references.instructions, references.accesses, list(references.pages)))
    assert strings[0] == strings[1] == strings[2]


def test_a_string_that_grows_too_long_ends_the_prediction(profile: MachineProfile) -> None:
    references = PageReferences(1000)
    prediction = predict(launch(BUILT / "hello"), profile, folios=folio_layout, references=references)
    assert prediction.not_modelled is not None
    assert prediction.not_modelled.what == "a string of more than 1000 references"
    assert len(references.pages) == 1000


@pytest.mark.parametrize("name", ["hello", "cow_after_fork", "many_arguments", "hello_dynamic", "null_read"])
def test_what_is_predicted_does_not_depend_on_who_listens(name: str, profile: MachineProfile) -> None:
    path = BUILT / name
    if not path.exists():
        pytest.skip("this compiler does not build it")
    program, references = launch(path), PageReferences()
    heard = predict(program, profile, folios=folio_layout, references=references)
    assert heard == predict(program, profile, folios=folio_layout)
    # Every page that a fault of the program's own brought in is one that it refers to.
    touched = {fault.page >> PAGE_SHIFT for fault in heard.faults or () if not fault.process and fault.mapped}
    assert touched - {page.vpn for page in heard.snapshots[0].pages or ()} <= {*references.pages}
