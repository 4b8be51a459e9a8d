"""The simulated kernel from inside: what calls and faults do. That they are Linux's is shown live."""

from __future__ import annotations

import signal
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.model.fault import FaultKind, FaultMode
from inspector.model.registers import RESUME_FLAG
from inspector.model.vma import VmFlag
from inspector.predict import predict
from tests.elfwriter import Elf, Phdr, R, W, X, gnu_stack
from tests.machines import PROFILE, write_program

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.prediction import Prediction
    from inspector.model.profile import MachineProfile

TEXT, DATA = 0x08048000, 0x0804A000
CODE_AT = 0x200
EXIT = "b8 01000000 31db cd80"
_SIGNALS = 40


def run(directory: Path, code: str, profile: MachineProfile = PROFILE) -> Prediction:
    """Predict a program of one page of code and two of zeros."""
    text = Phdr(offset=0, vaddr=TEXT, filesz=0x1000, flags=R | X)
    bss = Phdr(offset=0, vaddr=DATA, filesz=0, memsz=0x2000, flags=R | W)
    elf = Elf([text, bss, gnu_stack()], entry=TEXT + CODE_AT)
    elf.contents = {CODE_AT: bytes.fromhex(code)}
    return predict(write_program(directory, elf.build()), profile)


def call(number: int, *arguments: int) -> str:
    """Return code that makes a system call."""
    code = b"".join(
        bytes([opcode]) + struct.pack("<I", value & 0xFFFFFFFF)
        for opcode, value in zip(b"\xbb\xb9\xba\xbe\xbf", arguments, strict=False)
    )
    return (code + b"\xb8" + struct.pack("<I", number) + b"\xcd\x80").hex()


def exit_with_result() -> str:
    """Return code that ends the program with what the last call returned."""
    return "89c3 b8 01000000 cd80"


def kinds(prediction: Prediction) -> list[FaultKind | None]:
    return [fault.kind for fault in prediction.faults or ()]


def test_code_is_read_around_and_zeros_are_read_then_copied(tmp_path: Path) -> None:
    # mov al, [DATA]; mov [DATA], al; exit
    prediction = run(tmp_path, "a0 00a00408 a2 00a00408" + EXIT)
    assert kinds(prediction) == [FaultKind.FILE_READ, FaultKind.ZERO_PAGE, FaultKind.COPY_ON_WRITE]
    assert prediction.ending is not None
    assert prediction.ending.status == 0


def test_a_store_to_code_is_refused_with_its_exact_address(tmp_path: Path) -> None:
    # A store of al there.
    prediction = run(tmp_path, "a2 23810408")
    last = (prediction.faults or ())[-1]
    assert (last.kind, last.address, last.protection) == (FaultKind.REFUSED, TEXT + 0x123, True)
    assert prediction.ending is not None
    assert (prediction.ending.signal, prediction.ending.code) == ("SIGSEGV", 2)
    assert prediction.ending.address == TEXT + 0x123


@pytest.mark.parametrize("sets", [True, False])
@pytest.mark.parametrize("code", ["a2 23810408", "0f0b"], ids=["page fault", "ud2"])
def test_the_flags_of_a_fault_are_the_processors(tmp_path: Path, code: str, *, sets: bool) -> None:
    profile = replace(PROFILE, processor=replace(PROFILE.processor, sets_resume_flag=sets))
    registers = run(tmp_path, code, profile).snapshots[-1].registers
    assert registers is not None
    assert bool(registers.eflags & RESUME_FLAG) is sets


@pytest.mark.parametrize("uncharges", [True, False])
def test_unwritten_memory_made_read_only_is_charged_or_not(tmp_path: Path, *, uncharges: bool) -> None:
    area = 0x50000000
    code = call(192, area, 4096, 3, 0x32, -1) + call(125, area, 4096, 1) + EXIT
    prediction = run(tmp_path, code, replace(PROFILE, mprotect_uncharges=uncharges))
    vmas = prediction.snapshots[-1].vmas
    assert vmas is not None
    (flags,) = (vma.flags for vma in vmas if vma.start == area)
    assert flags == (VmFlag.NONE if uncharges else VmFlag.ACCOUNT)


WRITE_DATA = "a2 00a00408"
PAGEOUT, RANDOM = 21, 1


def test_without_swap_the_processs_own_pages_cannot_be_reclaimed(tmp_path: Path) -> None:
    code = WRITE_DATA + call(219, DATA, 4096, PAGEOUT) + WRITE_DATA + exit_with_result()
    prediction = run(tmp_path, code, replace(PROFILE, swap_bytes=0))
    assert kinds(prediction) == [FaultKind.FILE_READ, FaultKind.ANONYMOUS]
    named = run(tmp_path, code, replace(PROFILE, swap_bytes=4096)).not_modelled
    assert named is not None
    assert "where there is swap" in named.what


def test_advice_about_read_ahead_is_a_flag_that_keeps_areas_apart(tmp_path: Path) -> None:
    prediction = run(tmp_path, call(219, DATA, 4096, RANDOM) + EXIT)
    flags = [vma.flags for vma in prediction.snapshots[-1].vmas or () if DATA <= vma.start < DATA + 0x2000]
    assert flags == [VmFlag.ACCOUNT | VmFlag.RANDOM, VmFlag.ACCOUNT]


def test_the_kernels_own_read_faults_in_kernel_mode(tmp_path: Path) -> None:
    # write(1, DATA, 3) to the terminal
    prediction = run(tmp_path, call(4, 1, DATA, 3) + exit_with_result())
    fault = (prediction.faults or ())[-1]
    assert (fault.mode, fault.page, fault.ip, fault.kind) == (
        FaultMode.KERNEL,
        DATA,
        None,
        FaultKind.ZERO_PAGE,
    )
    assert prediction.ending is not None
    assert prediction.ending.status == 3


@pytest.mark.parametrize(
    ("number", "arguments", "result"),
    [
        (4, (9, DATA, 1), -9),  # write to a descriptor that is not open: EBADF
        (4, (1, 0, 1), -14),  # from nowhere: EFAULT
        (91, (DATA + 1, 4096), -22),  # munmap of half a page: EINVAL
        (125, (0x50000000, 4096, 1), -12),  # mprotect of nothing: ENOMEM
        (7, (-1, 0, 0), -10),  # waitpid without children: ECHILD
        (41, (9,), -9),  # dup of nothing: EBADF
        (63, (1, -1), -9),  # dup2 to no descriptor: EBADF
        (330, (1, 1, 0), -22),  # dup3 to itself: EINVAL
        (221, (1, 0, -1), -22),  # fcntl(F_DUPFD) from no descriptor: EINVAL
        (183, (DATA, 1), -34),  # getcwd into one byte: ERANGE
        (116, (0,), -14),  # sysinfo to nowhere: EFAULT
        (122, (0,), -14),  # uname to nowhere: EFAULT
        (172, (15, 0), -14),  # prctl(PR_SET_NAME) from nowhere: EFAULT
        (162, (0, 0), -14),  # nanosleep for a time that is nowhere: EFAULT
    ],
)
def test_calls_fail_as_linux_fails_them(
    tmp_path: Path, number: int, arguments: tuple[int, ...], result: int
) -> None:
    prediction = run(tmp_path, call(number, *arguments) + exit_with_result())
    assert prediction.ending is not None
    assert prediction.ending.status == result & 0xFF


def test_an_unknown_call_ends_the_prediction_by_name_and_keeps_what_was_predicted(tmp_path: Path) -> None:
    prediction = run(tmp_path, call(425) + EXIT)
    assert prediction.not_modelled is not None
    assert prediction.not_modelled.what == "system call io_uring_setup"
    assert prediction.ending is None
    assert kinds(prediction) == [FaultKind.FILE_READ]
    assert prediction.snapshots[0].checkpoint == "exec"


@pytest.mark.parametrize(
    ("code", "text"), [("d9ee d9fe", "fsin"), ("0f53c0", "rcpps"), ("c5f877", "vzeroupper")]
)
def test_an_instruction_without_an_exact_result_is_named(tmp_path: Path, code: str, text: str) -> None:
    prediction = run(tmp_path, code + EXIT)
    assert prediction.not_modelled is not None
    assert text in prediction.not_modelled.what
    assert prediction.not_modelled.ip is not None
    assert prediction.not_modelled.ip >= TEXT + CODE_AT


def test_a_program_that_never_ends_ends_the_prediction(tmp_path: Path) -> None:
    text = Phdr(offset=0, vaddr=TEXT, filesz=0x1000, flags=R | X)
    elf = Elf([text, gnu_stack()], entry=TEXT + CODE_AT)
    elf.contents = {CODE_AT: bytes.fromhex("ebfe")}
    prediction = predict(write_program(tmp_path, elf.build()), PROFILE, seconds=0.3)
    assert prediction.not_modelled is not None
    assert "0.3 s" in prediction.not_modelled.what


def test_a_signal_to_us_amid_an_instruction_changes_nothing(tmp_path: Path) -> None:
    # mov ecx, TIMES; loop: add [DATA], 1; dec ecx; jnz loop; cmp [DATA], TIMES; setne bl; exit(ebx)
    times = struct.pack("<I", 20_000_000).hex()
    count = f"b9 {times} 83 05 00a00408 01 49 75 f6 31db 81 3d 00a00408 {times} 0f95c3 b8 01000000 cd80"
    text = Phdr(offset=0, vaddr=TEXT, filesz=0x1000, flags=R | X)
    bss = Phdr(offset=0, vaddr=DATA, filesz=0, memsz=0x1000, flags=R | W)
    elf = Elf([text, bss, gnu_stack()], entry=TEXT + CODE_AT)
    elf.contents = {CODE_AT: bytes.fromhex(count)}
    program = write_program(tmp_path, elf.build())
    handled: list[int] = []

    def handle(number: int, _frame: object) -> None:
        handled.append(number)
        if len(handled) < _SIGNALS:
            signal.setitimer(signal.ITIMER_REAL, 0.005)

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        prediction = predict(program, PROFILE)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(handled) == _SIGNALS
    assert prediction.ending is not None
    assert prediction.ending.status == 0


def test_a_child_copies_what_it_writes_and_its_parent_reuses_what_is_left(tmp_path: Path) -> None:
    # mov [DATA], al; fork; test eax, eax; jnz parent; child: mov [DATA], al; exit(0)
    child = "a2 00a00408" + EXIT
    parent = call(7, -1, 0, 0) + "a2 00a00408" + EXIT
    length = len(bytes.fromhex(child))
    prediction = run(tmp_path, "a2 00a00408" + call(2) + f"85c0 75 {length:02x}" + child + parent)
    assert prediction.ending is not None
    assert prediction.ending.status == 0
    by_process = [
        [fault.kind for fault in prediction.faults or () if fault.process == process] for process in (0, 1)
    ]
    assert by_process[0] == [FaultKind.FILE_READ, FaultKind.ANONYMOUS, FaultKind.REUSE]
    assert by_process[1] == [FaultKind.FILE_READ, FaultKind.COPY_ON_WRITE]


def test_a_prediction_that_stops_in_a_child_has_no_ending(tmp_path: Path) -> None:
    # fork; test eax, eax; jz child; parent: exit(0); child: a call that is not modelled
    code = call(2) + f"85c0 74 {len(bytes.fromhex(EXIT)):02x}" + EXIT + call(425)
    prediction = run(tmp_path, code)
    assert prediction.not_modelled is not None
    assert prediction.ending is None


@pytest.mark.parametrize(("size", "result"), [(3, 3), (5, 5), (6, None)])
def test_a_read_of_a_pipe_is_answered_where_no_schedule_has_a_say(
    tmp_path: Path, size: int, result: int | None
) -> None:
    write = call(4, 4, DATA, 5)
    prediction = run(tmp_path, call(42, DATA) + write + write + call(3, 3, DATA, size) + exit_with_result())
    assert (prediction.ending.status if prediction.ending else None) == result
    assert (prediction.not_modelled is None) == (result is not None)


@pytest.mark.parametrize(
    ("number", "arguments", "what"),
    [(39, (DATA,), "mkdir of"), (10, (DATA,), "unlink of"), (15, (DATA,), "chmod of")],
)
def test_what_would_change_the_host_is_refused_by_name(
    tmp_path: Path, number: int, arguments: tuple[int, ...], what: str
) -> None:
    there = "/new-name" if number == 39 else "/etc"
    store = "".join(
        (b"\xc7\x05" + struct.pack("<I", DATA + at) + there.encode().ljust(12, b"\0")[at : at + 4]).hex()
        for at in (0, 4, 8)
    )
    prediction = run(tmp_path, store + call(number, *arguments) + EXIT)
    assert prediction.not_modelled is not None
    assert prediction.not_modelled.what.startswith(f"{what} {there}")


@pytest.mark.parametrize(
    ("number", "arguments", "result"), [(41, (1,), 3), (63, (1, 9), 9), (221, (1, 0, 5), 5)]
)
def test_a_file_gets_one_more_descriptor(
    tmp_path: Path, number: int, arguments: tuple[int, ...], result: int
) -> None:
    prediction = run(tmp_path, call(number, *arguments) + exit_with_result())
    assert prediction.ending is not None
    assert prediction.ending.status == result


@pytest.mark.parametrize(
    ("number", "arguments", "what"),
    [
        (63, (1, 5000), "descriptor 5000"),
        (221, (1, 5, 0), "fcntl command 5"),
        (172, (4, 0), "prctl option 4"),
    ],
)
def test_what_the_prediction_cannot_know_of_descriptors_is_named(
    tmp_path: Path, number: int, arguments: tuple[int, ...], what: str
) -> None:
    prediction = run(tmp_path, call(number, *arguments) + EXIT)
    assert prediction.not_modelled is not None
    assert what in prediction.not_modelled.what


def test_memory_that_32_bits_cannot_count_in_bytes_is_told_in_pages(tmp_path: Path) -> None:
    # sysinfo(DATA); the unit and the memory, each divided until it fits in a byte
    unit = run(tmp_path, call(116, DATA) + "a1 34a00408 c1e80a" + exit_with_result())
    memory = run(tmp_path, call(116, DATA) + "a1 10a00408 c1e80f" + exit_with_result())
    assert (unit.ending and unit.ending.status, memory.ending and memory.ending.status) == (4, 64)
    assert [assumption.name for assumption in unit.assumptions] == ["sysinfo"]


def test_a_process_is_named_after_its_program_at_first(tmp_path: Path) -> None:
    # prctl(PR_GET_NAME, DATA); the name's second letter
    prediction = run(tmp_path, call(172, 16, DATA) + "0fb605 01a00408" + exit_with_result())
    assert prediction.ending is not None
    assert prediction.ending.status == ord("r")
