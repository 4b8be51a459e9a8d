"""Which pages code refers to, in order: fetches, readings and writings, of every kind of instruction."""

from __future__ import annotations

import pytest

from inspector.model.address import PAGE_SIZE, VirtAddr, Vpn, vpn_of
from inspector.model.vma import Access
from inspector.predict.machine.cpu import PageFault, SystemCall
from inspector.predict.machine.references import PageReferences
from tests.unit.predict.machine.machine import CODE, DATA, READ_WRITE, Machine

NAMES = {vpn_of(VirtAddr(CODE + number * PAGE_SIZE)): name for number, name in enumerate("CDEFG")}
E, F = VirtAddr(DATA + PAGE_SIZE), VirtAddr(DATA + 2 * PAGE_SIZE)
STOP = "cd 80"


@pytest.fixture
def references() -> PageReferences:
    return PageReferences()


@pytest.fixture
def machine(references: PageReferences) -> Machine:
    """Return one with its code in page C, and D, E and F to be read and written."""
    machine = Machine(references=references)
    for page in (DATA, E, F):
        machine.map(page, READ_WRITE)
    return machine


def run(machine: Machine, code: str, at: int = CODE, **registers: int) -> None:
    cpu = machine.starts(code + STOP, at)
    for name, value in registers.items():
        cpu.write(name, value)
    assert isinstance(cpu.run(), SystemCall)


def letters(references: PageReferences) -> str:
    return "".join(NAMES[Vpn(page)] for page in references.pages)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("90 90", "C"),
        ("8b 03 8b 43 04 89 03", "CDCDCDC"),  # mov eax, [ebx]; mov eax, [ebx + 4]; mov [ebx], eax
        ("01 03", "CDC"),  # add [ebx], eax
        ("ff 33", "CDFC"),  # push [ebx]
        ("a4", "CDEC"),  # movsb
        ("f3 a4", "CDEDEDEC"),  # rep movsb, three times: fetched once
        ("c8 00 00 00", "CFC"),  # enter
        ("db e3 d9 33", "CDC"),  # fninit; fnstenv [ebx], which Unicorn is not left to do
        ("df 2b", "CDC"),  # fild qword [ebx]
    ],
)
def test_each_instruction_is_fetched_and_then_touches_its_operands(
    machine: Machine, references: PageReferences, code: str, expected: str
) -> None:
    run(machine, code, ebx=DATA + 8, esi=DATA, edi=E, esp=F + 64, ebp=F + 64, ecx=3)
    assert letters(references) == expected


def test_what_lies_across_two_pages_refers_to_both(machine: Machine, references: PageReferences) -> None:
    run(machine, "8b 03 89 03", ebx=E - 2)
    assert letters(references) == "CDECDEC"


def test_an_instruction_across_two_pages_is_fetched_from_both(references: PageReferences) -> None:
    machine = Machine(references=references)
    machine.map(DATA, Access.READ | Access.EXECUTE, bytes.fromhex("03" + STOP))
    machine.map(E, READ_WRITE)
    cpu = machine.starts("8b", DATA - 1)
    cpu.write("ebx", E)
    assert isinstance(cpu.run(), SystemCall)
    assert letters(references) == "CDED"


def test_pages_of_one_frame_are_told_apart(machine: Machine, references: PageReferences) -> None:
    machine.pages[vpn_of(E)] = machine.pages[vpn_of(DATA)]
    run(machine, "8b 03 8b 06 8b 03 8b 43 fe", ebx=E, esi=DATA)
    assert letters(references) == "CECDCECDEC"


def test_an_instruction_that_faults_has_done_nothing_yet(
    machine: Machine, references: PageReferences
) -> None:
    away = machine.pages.pop(vpn_of(E))
    cpu = machine.starts("f3 a4" + STOP)
    for name, value in {"esi": DATA, "edi": E, "ecx": 2}.items():
        cpu.write(name, value)
    assert isinstance(cpu.run(), PageFault)
    assert (letters(references), references.accesses) == ("C", 0)
    machine.pages[vpn_of(E)] = away
    assert isinstance(cpu.run(), SystemCall)
    assert (letters(references), references.accesses) == ("CDEDEC", 4)


def test_a_fetch_that_faults_undoes_nothing(machine: Machine, references: PageReferences) -> None:
    cpu = machine.starts("8b 03 ff e6")  # mov eax, [ebx]; jmp esi
    cpu.write("ebx", DATA)
    cpu.write("esi", 0x30000000)
    assert isinstance(cpu.run(), PageFault)
    assert letters(references) == "CDC"


def test_everything_is_counted(machine: Machine, references: PageReferences) -> None:
    run(
        machine, "b9 05 00 00 00 8b 03 49 75 fb", ebx=DATA
    )  # mov ecx, 5; five times: mov eax, [ebx]; dec; jnz
    assert references.instructions == 1 + 3 * 5 + 1
    assert references.accesses == 5
    assert letters(references) == "CD" * 5 + "C"


def test_what_others_do_is_not_the_programs(machine: Machine, references: PageReferences) -> None:
    references.is_on = False
    run(machine, "8b 03", ebx=DATA)
    assert letters(references) == ""
