"""Programs under RLIMIT_AS and RLIMIT_DATA: what execve maps, page by page up to the limit and beyond it."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.elf.header import ELF32, ELF64, EM_386, EM_X86_64, ET_DYN, ET_EXEC
from inspector.model.address import PAGE_SIZE as PAGE
from inspector.model.program import UNLIMITED, Limits
from inspector.predict import predict
from tests.elfwriter import Elf, Phdr, R, W, gnu_stack
from tests.live.against_witness import mismatches
from tests.live.compiling import static_program
from tests.live.launches import executable, launch
from tests.live.stop_at_exec import witness_exec
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from inspector.model.prediction import Prediction
    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program

pytestmark = pytest.mark.live

SOURCE = Path(__file__).with_name("memory_limits.c")
GIB = 1 << 30
CODE = Phdr(vaddr=0x400000)


def big(bss: int, *, native: bool, movable: bool = False) -> Elf:
    """Return a program with two pages of its own, and `bss` bytes of zeros."""
    base = 0 if movable else CODE.vaddr
    return Elf(
        [
            replace(CODE, vaddr=base),
            Phdr(vaddr=base + PAGE, offset=PAGE, memsz=PAGE + bss, flags=R | W),
            gnu_stack(),
        ],
        machine=EM_X86_64 if native else EM_386,
        layout=ELF64 if native else ELF32,
        entry=base + 0x200,
        type=ET_DYN if movable else ET_EXEC,
    )


def limited(path: Path, which: int, soft: int) -> Program:
    program = launch(path)
    inherited = [(UNLIMITED, UNLIMITED)] * 16
    inherited[which] = soft, UNLIMITED
    return replace(program, limits=Limits(inherited=tuple(inherited)))


def wrong(program: Program, prediction: Prediction, witness: Path) -> list[str]:
    options = []
    for which, name in ((resource.RLIMIT_AS, "--as-limit"), (resource.RLIMIT_DATA, "--data-limit")):
        options += [name, str(program.limits.inherited[which][0])]
    return mismatches(prediction, witness_exec(witness, program, *options))


@pytest.mark.parametrize("room", [-2, -1, 0, 1])
@pytest.mark.parametrize("movable", [False, True])
@pytest.mark.parametrize(
    ("native", "bss"), [(False, 1 * GIB), (True, 1 * GIB), (True, 4 * GIB), (True, 20 * GIB)]
)
@pytest.mark.parametrize("which", [resource.RLIMIT_AS, resource.RLIMIT_DATA])
def test_zeros_up_to_the_limit(
    which: int,
    native: bool,
    bss: int,
    movable: bool,
    room: int,
    stage: Path,
    witness: Path,
    profile: MachineProfile,
) -> None:
    """The limits that just suffice are taken from the address space of one that has no limits."""
    if bss > profile.ram_bytes + profile.swap_bytes and profile.overcommit_memory != 1:
        pytest.skip("this machine never grants so much")
    path = executable(stage / "limited", big(bss, native=native, movable=movable).build())
    free = predict(launch(path), profile, until="exec").snapshots[0].vmas or ()
    if which == resource.RLIMIT_AS:
        # [vsyscall] is no part of the address space, and vvar and vdso come without being asked for.
        needed = sum(
            area.range.size_bytes
            for area in free
            if area.name not in ("[vsyscall]", "[vvar]", "[vvar_vclock]", "[vdso]")
        )
    else:
        needed = sum(
            area.range.size_bytes for area in free if area.perms == "rw-p" and area.name != "[stack]"
        )
    program = limited(path, which, needed + room * PAGE + PAGE // 2)
    prediction = predict(program, profile, until="exec")
    assert not wrong(program, prediction, witness)
    assert prediction.verdict is not None
    assert prediction.verdict.rule == ("exec.runs" if room >= 0 else "memory.limit")


@pytest.mark.parametrize("limit", [0, PAGE, 4 * PAGE, 33 * PAGE, 34 * PAGE, 36 * PAGE, 40 * PAGE, 64 * PAGE])
@pytest.mark.parametrize("which", [resource.RLIMIT_AS, resource.RLIMIT_DATA])
@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("argument", ["", "x" * 20_000])
def test_hardly_any_memory(
    which: int, limit: int, native: bool, argument: str, stage: Path, witness: Path, profile: MachineProfile
) -> None:
    path = executable(stage / "limited", big(3 * PAGE, native=native).build())
    program = replace(limited(path, which, limit), argv=("a", argument))
    assert not wrong(program, predict(program, profile, until="exec"), witness)


@pytest.fixture(scope="module")
def asker(stage: Path) -> Path:
    """Return memory_limits.c as a program."""
    built = stage / "asker"
    return static_program(SOURCE, built)


@pytest.mark.parametrize("arguments", [(), ("deep",)])
@pytest.mark.parametrize("size", [(10 << 20) + 5 * PAGE, 16 << 20, UNLIMITED])
@pytest.mark.parametrize("which", [resource.RLIMIT_AS, resource.RLIMIT_DATA])
def test_a_program_that_asks_for_more(
    which: int, size: int, arguments: tuple[str, ...], asker: Path, profile: MachineProfile
) -> None:
    program = limited(asker, which, size)
    program = replace(program, argv=(program.path, *arguments))
    assert disagreements(program, profile) == []


def test_what_is_refused_is_seen_to_be(asker: Path, profile: MachineProfile) -> None:
    """Else the test before would say nothing."""
    ending = predict(limited(asker, resource.RLIMIT_AS, 16 << 20), profile).ending
    assert ending is not None
    assert ending.status == 0b1010011
    ending = predict(
        replace(limited(asker, resource.RLIMIT_AS, 16 << 20), argv=("a", "deep")), profile
    ).ending
    assert ending is not None
    assert ending.signal == "SIGSEGV"
