"""64-bit files: what execve refuses, and the address space of what it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.elf.file import ExecutableFile
from inspector.elf.header import ELF64, EM_X86_64, ET_DYN, PT_INTERP
from inspector.fuzz.fields import changes
from inspector.fuzz.mutation import mutant
from inspector.fuzz.surroundings import Surroundings
from inspector.fuzz.trial import Standing, try_file
from inspector.model.address import VirtAddr
from inspector.model.profile import RandomBases
from inspector.observe.exec_stage import ExecStage
from inspector.predict import predict
from tests.elfwriter import Elf, Phdr, R, W, gnu_stack
from tests.live.against_witness import mismatches
from tests.live.launches import executable, launch
from tests.live.odd_programs import FIXED
from tests.live.stop_at_exec import witness_exec

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live

NO_PHDRS = ("refused: ENOEXEC", "elf.program-headers")
LOAD64 = Phdr(vaddr=0x400000)
DATA64 = Phdr(offset=0x1000, vaddr=0x402000, memsz=0x3000, flags=R | W)
NATIVE = Elf([LOAD64, gnu_stack()], machine=EM_X86_64, entry=0x400000 + 0x200, layout=ELF64)


def native(*phdrs: Phdr, **more: object) -> Elf:
    """Return a 64-bit program with other headers."""
    return replace(NATIVE, phdrs=[*phdrs, *NATIVE.phdrs], **more)  # type: ignore[arg-type]


def native_named(name: bytes, **more: int) -> Elf:
    """Return a 64-bit program with a PT_INTERP."""
    header = Phdr(type=PT_INTERP, offset=0x800, filesz=len(name), vaddr=0)
    return native(replace(header, **more), contents={0x800: name})


REFUSED: dict[str, tuple[Elf, tuple[str, str]]] = {
    "e_type ET_REL": (native(type=1), ("refused: ENOEXEC", "elf.type")),
    "e_machine 386 of 64-bit structures": (native(machine=3), NO_PHDRS),
    "e_machine ARM": (native(machine=183), ("refused: ENOEXEC", "elf.machine")),
    "e_phentsize 32": (native(phentsize=32), NO_PHDRS),
    "e_phnum 0": (native(phnum=0), NO_PHDRS),
    "e_phnum 2000": (native(phnum=2000, size=1 << 20), NO_PHDRS),
    "e_phoff behind the end": (native(phoff=1 << 40), NO_PHDRS),
    "e_phoff where no file reaches": (native(phoff=1 << 63), NO_PHDRS),
    "cut in the program headers": (native(phnum=100, size=0x1000), NO_PHDRS),
    "PT_INTERP: a missing file": (
        native_named(b"/no/such\0"),
        ("refused: ENOENT", "elf.interpreter-missing"),
    ),
    "PT_INTERP: a directory": (native_named(b"/usr\0"), ("refused: EACCES", "elf.interpreter-missing")),
    "PT_INTERP: text": (native_named(b"text\0"), ("refused: ELIBBAD", "elf.interpreter-bad")),
    "PT_INTERP: short": (native_named(b"short\0"), ("refused: EIO", "elf.interpreter-bad")),
    "PT_INTERP: an i386 program": (native_named(b"program\0"), ("refused: ELIBBAD", "elf.interpreter-bad")),
    "PT_INTERP: no zero byte": (native_named(b"native"), ("refused: ENOEXEC", "elf.interpreter-string")),
    "PT_INTERP: of 5000 bytes": (
        native_named(b"native\0", filesz=5000),
        ("refused: ENOEXEC", "elf.interpreter-string"),
    ),
    "PT_INTERP: behind the end": (
        native_named(b"native\0", offset=1 << 40),
        ("refused: EIO", "elf.interpreter-string"),
    ),
    "PT_INTERP: where no file reaches": (
        native_named(b"native\0", offset=(1 << 63) - 4),
        ("refused: EINVAL", "elf.interpreter-string"),
    ),
    "PT_INTERP: at a negative offset": (
        native_named(b"native\0", offset=(1 << 64) - 8),
        ("refused: EINVAL", "elf.interpreter-string"),
    ),
}


@pytest.fixture(scope="module")
def place(stage: Path) -> Path:
    """Return a directory with interpreters of both classes."""
    directory = stage / "64-bit"
    directory.mkdir()
    executable(directory / "native", NATIVE.build())
    executable(directory / "program", FIXED.contents())
    executable(directory / "text", b"echo hi\n" * 20)
    executable(directory / "short", b"#!program\n")
    return directory


@pytest.mark.parametrize("name", REFUSED)
def test_a_64_bit_program_is_refused(name: str, place: Path, witness: Path, profile: MachineProfile) -> None:
    elf, answer = REFUSED[name]
    program = launch(executable(place / "case", elf.build()), cwd=place)
    prediction = predict(program, profile)
    assert not mismatches(prediction, witness_exec(witness, program))
    assert prediction.verdict is not None
    assert (str(prediction.verdict), prediction.verdict.rule) == answer


@pytest.mark.parametrize("name", ["native", "#!native", "PT_INTERP"])
def test_a_64_bit_program_that_runs_is_laid_out_and_not_followed(
    name: str, place: Path, witness: Path, profile: MachineProfile
) -> None:
    contents = {
        "native": NATIVE.build(),
        "#!native": b"#!native\n",
        "PT_INTERP": native_named(b"native\0").build(),
    }
    program = launch(executable(place / "case", contents[name]), cwd=place)
    prediction = predict(program, profile)
    assert prediction.not_modelled is not None
    assert prediction.not_modelled.what == "64-bit program's instructions"
    assert not mismatches(prediction, witness_exec(witness, program))


@pytest.mark.parametrize("name", ["/bin/true", "/bin/sh", "/sbin/ldconfig"])
def test_a_64_bit_program_of_the_system(name: str, witness: Path, profile: MachineProfile) -> None:
    if Path(name).read_bytes()[18:20] != EM_X86_64.to_bytes(2, "little"):
        pytest.skip("it is no 64-bit program here")
    program = launch(Path(name), ("an argument", "another"))
    assert not mismatches(predict(program, profile, until="exec"), witness_exec(witness, program))


def test_a_position_independent_program_without_alignment(
    place: Path, witness: Path, profile: MachineProfile
) -> None:
    """ELF_ET_DYN_BASE is no whole page: what is taken from it may end a page higher than from one."""
    name = Phdr(type=PT_INTERP, offset=0x800, filesz=7, vaddr=0)
    loads = [Phdr(vaddr=0x2001, offset=1, align=0), gnu_stack()]
    elf = replace(NATIVE, phdrs=[name, *loads], type=ET_DYN, contents={0x800: b"loader\0"})
    executable(place / "loader", replace(NATIVE, type=ET_DYN, entry=0x200, phdrs=[Phdr(vaddr=0)]).build())
    program = launch(executable(place / "case", elf.build()), cwd=place)
    assert not mismatches(predict(program, profile, until="exec"), witness_exec(witness, program))


@pytest.mark.parametrize("where", ["disk", "memory"])
@pytest.mark.parametrize("role", ["program", "interpreter"])
@pytest.mark.parametrize("pages", [0x1FE, 0x200, 0x201, 0x923])
def test_a_file_of_2_mib_is_put_where_its_file_system_wants_it(
    pages: int, role: str, where: str, place: Path, tmp_path: Path, witness: Path, profile: MachineProfile
) -> None:
    """Rule `layout.huge-page`: on a disk, and not on a tmpfs, which has no huge pages."""
    size = pages * 0x1000
    load = Phdr(vaddr=0, filesz=size)
    large = replace(NATIVE, type=ET_DYN, entry=0x200, phdrs=[load, gnu_stack()], size=size)
    directory = tmp_path if where == "disk" else place
    path = executable(directory / "large", large.build())
    with ExecutableFile(str(path)) as file:
        if where == "disk" and file.lies_in_memory:
            pytest.skip("temporary files lie on a tmpfs here")
        aligned = bool(file.is_mapped_aligned) and size >= 2 << 20
        if where == "memory" and aligned:
            pytest.skip("the tmpfs has huge pages here")
    if role == "interpreter":
        path = executable(directory / "case", native_named(b"large\0").build())
    program = launch(path, cwd=directory)
    prediction = predict(program, profile, until="exec")
    assert not mismatches(prediction, witness_exec(witness, program))
    start = next(area.start for area in prediction.snapshots[0].vmas or () if area.name.endswith("/large"))
    assert aligned is (start % (2 << 20) == 0)


def test_a_file_that_is_aligned_at_two_places_is_named(tmp_path: Path, profile: MachineProfile) -> None:
    """One page short of 4 MiB, it could end where the mmap area does: before Linux 6.8 it lay 2 MiB lower."""
    size = 0x3FF000
    large = replace(NATIVE, type=ET_DYN, entry=0x200, phdrs=[Phdr(vaddr=0, filesz=size)], size=size)
    path = executable(tmp_path / "large", large.build())
    with ExecutableFile(str(path)) as file:
        if not file.is_mapped_aligned:
            pytest.skip("temporary files lie where nothing is aligned here")
    prediction = predict(launch(path), profile, until="exec")
    assert prediction.not_modelled is not None
    assert prediction.not_modelled.what == "a 64-bit file for which two places are aligned to huge pages"


def test_an_interpreter_that_stops_at_an_empty_segment_far_away(
    place: Path, witness: Path, profile: MachineProfile
) -> None:
    """Where that lies is no errno, so it is taken for the interpreter's base; its entry wraps around."""
    loads = [Phdr(vaddr=1 << 63, filesz=0), Phdr(vaddr=0x400000)]
    loader = replace(NATIVE, phdrs=loads, entry=(1 << 63) + 0x400000)
    executable(place / "far", loader.build())
    program = launch(executable(place / "case", native_named(b"far\0").build()), cwd=place)
    prediction = predict(program, profile, until="exec")
    assert str(prediction.verdict) == "runs"
    assert not mismatches(prediction, witness_exec(witness, program))


def test_a_stack_that_must_grow_for_its_tables(place: Path, witness: Path, profile: MachineProfile) -> None:
    """Forty thousand empty arguments are short as strings, but as pointers outgrow the stack's spare room."""
    program = launch(executable(place / "case", NATIVE.build()), ("",) * 40_000, cwd=place)
    assert not mismatches(predict(program, profile, until="exec"), witness_exec(witness, program))


CONTENTS = {"zeros": b"", "strings": b"ab\0" * 0x1000, "no end": b"x" * 0x3000}


@pytest.mark.parametrize("contents", CONTENTS)
@pytest.mark.parametrize("flags", [R, 0, R | W, W], ids=["r--", "---", "rw-", "-w-"])
@pytest.mark.parametrize("pages", [1, 2, 3])
@pytest.mark.parametrize("below", [1, 2, 3, 4])
def test_a_segment_over_the_initial_stack(
    below: int, pages: int, flags: int, contents: str, profile: MachineProfile
) -> None:
    """The kernel measures argv and envp in what the segment has in their place (rule `stack.overlaid`)."""
    assert profile.native is not None
    size = min(pages, below) * 0x1000
    top = profile.native.layout.task_size
    over = Phdr(offset=0x1000, vaddr=top - below * 0x1000, filesz=size, flags=flags)
    program = replace(
        NATIVE, phdrs=[LOAD64, over, gnu_stack()], contents={0x1000: CONTENTS[contents]}
    ).build()
    # Strings of two pages, so that the tables are on the third.
    strings = Surroundings(argv_lengths=(5000,))
    with ExecStage(program) as stage:
        assert try_file(program, stage, profile, surroundings=strings).standing is Standing.AGREES


def test_a_64_bit_program_under_aslr_is_named(place: Path, profile: MachineProfile) -> None:
    program = replace(launch(executable(place / "case", NATIVE.build()), cwd=place), randomize=True)
    anywhere = VirtAddr(0x7FFF_0000)
    bases = RandomBases(anywhere, anywhere, anywhere, anywhere, stack_padding=0)
    prediction = predict(program, profile, bases=bases)
    assert prediction.not_modelled is not None
    assert prediction.not_modelled.what == "64-bit program's address space under ASLR"


ORIGINALS = (
    NATIVE,
    native_named(b"native\0"),
    native_named(b"program\0"),
    replace(NATIVE, type=ET_DYN, entry=0x200, phdrs=[Phdr(vaddr=0), DATA64, gnu_stack()]),
    native(DATA64),
)


@pytest.mark.parametrize("number", range(400))
def test_a_mutant_of_a_64_bit_file(number: int, place: Path, witness: Path, profile: MachineProfile) -> None:
    """By every field of its headers, and as bytes: the same mutants that `inspector fuzz` makes."""
    contents = mutant(ORIGINALS[number % len(ORIGINALS)].build(), 64, number)
    program = launch(executable(place / "case", contents), cwd=place)
    prediction = predict(program, profile, until="exec")
    assert not mismatches(prediction, witness_exec(witness, program))


def test_the_mutants_reach_what_decides_where_a_segment_goes() -> None:
    names = {
        change.name
        for number in range(400)
        for original in (ORIGINALS[number % len(ORIGINALS)].build(),)
        for change in changes(original, mutant(original, 64, number))
    }
    fields = ("offset", "vaddr", "filesz", "memsz", "flags", "align", "type")
    assert {f"phdr[0].p_{name}" for name in fields} | {"e_entry", "e_type", "e_phnum"} <= names
