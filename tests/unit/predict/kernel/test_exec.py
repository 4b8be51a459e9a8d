"""execve from the inside: one test a rule. That the rules are Linux's is shown in tests/live."""

from __future__ import annotations

import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.elf.header import ELF64, EM_X86_64, PT_INTERP
from inspector.errors import NotModelled
from inspector.model.profile import BinfmtMisc, UnclearableTail
from inspector.model.program import Layout, Limits
from inspector.model.vma import Anonymous
from inspector.predict import predict
from inspector.predict.kernel.exec import execve
from inspector.predict.kernel.kernel import Kernel
from tests.elfwriter import Elf, Phdr, R, W, X, gnu_stack
from tests.machines import PROFILE, write_program

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile
    from inspector.model.snapshot import Snapshot

TEXT = Phdr(offset=0, vaddr=0x08048000, filesz=0x1000, flags=R | X)
DATA = Phdr(offset=0x1000, vaddr=0x08049000, filesz=0x10, memsz=0x2000, flags=R | W)


def at_exec(directory: Path, elf: Elf, **launch: object) -> Snapshot:
    program = write_program(directory, elf.build(), **launch)  # type: ignore[arg-type]
    result = execve(program, Kernel(PROFILE))
    assert result.process is not None, result.verdict
    return result.process.snapshot()


def verdict(directory: Path, elf: Elf) -> tuple[str, str | None]:
    answer = execve(write_program(directory, elf.build()), Kernel(PROFILE)).verdict
    assert answer is not None
    return str(answer), answer.rule


def with_rules(**rules: object) -> MachineProfile:
    return replace(PROFILE, exec_rules=replace(PROFILE.exec_rules, **rules))  # type: ignore[arg-type]


def exec_on(profile: MachineProfile, directory: Path, elf: Elf) -> tuple[str, str | None, list[str]]:
    result = execve(write_program(directory, elf.build()), Kernel(profile))
    if result.not_modelled is not None:
        raise result.not_modelled
    answer = result.verdict
    assert answer is not None
    return (
        str(answer),
        answer.rule,
        lines(result.process.snapshot()) if result.process is not None else [],
    )


def lines(snapshot: Snapshot) -> list[str]:
    return [f"{vma.start:#x}-{vma.end:#x} {vma.perms} {vma.offset:#x}" for vma in snapshot.vmas or ()]


def test_bss_is_cleared_tail_and_anonymous_rest(tmp_path: Path) -> None:
    snapshot = at_exec(tmp_path, Elf([TEXT, DATA, gnu_stack()]))
    assert lines(snapshot)[:3] == [
        "0x8048000-0x8049000 r-xp 0x0",
        "0x8049000-0x804a000 rw-p 0x1000",
        "0x804a000-0x804b000 rw-p 0x0",
    ]
    assert [hex(page.address) for page in snapshot.pages or ()] == ["0x8049000", "0xffffd000"]
    # One page of strings, one cleared tail; the tables fit on the strings' page.
    assert snapshot.minor_faults == 2
    assert snapshot.page_table_bytes == 5 * 4096


def test_a_program_without_gnu_stack_reads_and_executes_everything(tmp_path: Path) -> None:
    snapshot = at_exec(tmp_path, Elf([TEXT, DATA]))
    assert {vma.perms for vma in (snapshot.vmas or ()) if not vma.name.startswith("[v")} == {"r-xp", "rwxp"}


def test_adjacent_segments_of_equal_permissions_merge(tmp_path: Path) -> None:
    more = Phdr(offset=0x1000, vaddr=0x08049000, filesz=0x800, flags=R | X)
    assert lines(at_exec(tmp_path, Elf([TEXT, more, gnu_stack()])))[0] == "0x8048000-0x804a000 r-xp 0x0"


def test_execstack_makes_only_the_stack_executable(tmp_path: Path) -> None:
    vmas = at_exec(tmp_path, Elf([TEXT, DATA, gnu_stack(R | W | X)])).vmas or ()
    assert {vma.name: vma.perms for vma in vmas}["[stack]"] == "rwxp"
    assert vmas[1].perms == "rw-p"


@pytest.mark.parametrize(("layout", "top"), [(Layout.DEFAULT, 0xFFFFE000), (Layout.THREE_GB, 0xC0000000)])
def test_the_stack_ends_at_the_task_size(tmp_path: Path, layout: Layout, top: int) -> None:
    stack = (at_exec(tmp_path, Elf(), layout=layout).vmas or ())[-1]
    assert stack.backing == Anonymous("[stack]")
    assert (stack.end, stack.range.size_bytes) == (top, 33 * 4096)


def test_the_vdso_lies_below_stack_limit_and_guard_gap(tmp_path: Path) -> None:
    vmas = at_exec(tmp_path, Elf(), limits=Limits(stack=200 << 20)).vmas or ()
    assert next(vma.end for vma in vmas if vma.name == "[vdso]") == 0xFFFFE000 - (200 << 20) - 256 * 4096


def test_the_initial_stack_from_esp_upwards(tmp_path: Path) -> None:
    snapshot = at_exec(tmp_path, Elf(), argv=("prog", "", "x"), envp=("A=1",))
    assert snapshot.stack is not None
    assert snapshot.stack.sp % 16 == 0
    words = struct.unpack_from("<7I", snapshot.stack.contents)
    text = {address: _string(snapshot, address) for address in (*words[1:4], words[5])}
    assert (words[0], words[4], words[6]) == (3, 0, 0)
    assert list(text.values()) == [b"prog", b"", b"x", b"A=1"]
    assert snapshot.stack.contents.endswith(str(tmp_path / "program").encode() + bytes(9))
    (random,) = snapshot.stack.unpredictable
    assert (random.length, random.rule) == (16, "stack.at-random")
    assert next(entry.value for entry in snapshot.auxv or () if entry.name == "AT_RANDOM") == random.start


def _string(snapshot: Snapshot, address: int) -> bytes:
    assert snapshot.stack is not None
    start = address - snapshot.stack.sp
    return snapshot.stack.contents[start : snapshot.stack.contents.index(b"\0", start)]


def test_an_empty_argv_becomes_one_empty_string(tmp_path: Path) -> None:
    snapshot = at_exec(tmp_path, Elf(), argv=())
    assert snapshot.stack is not None
    assert struct.unpack_from("<I", snapshot.stack.contents) == (1,)


def test_a_static_pie_lies_at_the_top_and_keeps_its_alignment(tmp_path: Path) -> None:
    segment = Phdr(offset=0, vaddr=0, filesz=0x1000, align=0x10000)
    snapshot = at_exec(tmp_path, Elf([segment, gnu_stack()], type=3, entry=0x100))
    (start,) = [vma.start for vma in snapshot.vmas or () if vma.name.endswith("program")]
    assert start % 0x10000 == 0
    assert start > 0xF0000000
    assert snapshot.brk == PROFILE.layouts["default"].et_dyn_base


REFUSALS = {
    "bad magic": (Elf(magic=b"\x7fELG"), "refused: ENOEXEC", "exec.no-handler"),
    "relocatable": (Elf(type=1), "refused: ENOEXEC", "elf.type"),
    "ARM": (Elf(machine=40), "refused: ENOEXEC", "elf.machine"),
    "no program headers": (Elf(phnum=0), "refused: ENOEXEC", "elf.program-headers"),
    "odd program header size": (Elf(phentsize=31), "refused: ENOEXEC", "elf.program-headers"),
    "program headers beyond the file": (Elf(phoff=0x7FFFFFFF), "refused: ENOEXEC", "elf.program-headers"),
    "larger in the file than in memory": (
        Elf([Phdr(filesz=0x1000, memsz=0x10)]),
        "killed: SIGSEGV",
        "elf.segment-size",
    ),
    "offset and address apart": (Elf([Phdr(offset=8)]), "killed: SIGSEGV", "elf.segment-unmappable"),
    "entry beyond the task": (Elf(entry=0xFFFFF000), "killed: SIGSEGV", "elf.entry"),
    "the file ends before its data": (
        Elf([TEXT, Phdr(offset=0x8000, vaddr=0x08050000, filesz=0x10, memsz=0x20, flags=R | W)]),
        "killed: SIGSEGV",
        "elf.file-too-short",
    ),
    "interpreter string too short": (
        Elf([TEXT, Phdr(type=PT_INTERP, filesz=1)]),
        "refused: ENOEXEC",
        "elf.interpreter-string",
    ),
    "interpreter missing": (
        Elf([TEXT, Phdr(type=PT_INTERP, offset=0x200, filesz=9)], contents={0x200: b"/no/such\0"}),
        "refused: ENOENT",
        "elf.interpreter-missing",
    ),
    "64-bit: no program header": (
        Elf([], machine=EM_X86_64, layout=ELF64),
        "refused: ENOEXEC",
        "elf.program-headers",
    ),
    "64-bit: program headers of 32 bits": (
        Elf(machine=EM_X86_64),
        "refused: ENOEXEC",
        "elf.program-headers",
    ),
    "64-bit: interpreter missing": (
        Elf(
            [TEXT, Phdr(type=PT_INTERP, offset=0x200, filesz=9)],
            machine=EM_X86_64,
            layout=ELF64,
            contents={0x200: b"/no/such\0"},
        ),
        "refused: ENOENT",
        "elf.interpreter-missing",
    ),
    "64-bit: interpreter string where no file reaches": (
        Elf([TEXT, Phdr(type=PT_INTERP, offset=1 << 63, filesz=9)], machine=EM_X86_64, layout=ELF64),
        "refused: EINVAL",
        "elf.interpreter-string",
    ),
    "64-bit: interpreter string behind the end": (
        Elf([TEXT, Phdr(type=PT_INTERP, offset=1 << 40, filesz=9)], machine=EM_X86_64, layout=ELF64),
        "refused: EIO",
        "elf.interpreter-string",
    ),
    "nothing to load": (
        Elf([gnu_stack(), Phdr(filesz=0, vaddr=0)], type=3),
        "killed: SIGSEGV",
        "elf.no-load",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_name_their_rule(tmp_path: Path, case: str) -> None:
    elf, answer, rule = REFUSALS[case]
    assert verdict(tmp_path, elf) == (answer, rule)


def test_a_64_bit_program_on_a_machine_that_told_nothing_of_them_is_named(tmp_path: Path) -> None:
    program = write_program(tmp_path, Elf(machine=EM_X86_64, layout=ELF64).build())
    unprobed = replace(PROFILE, native=None)
    result = execve(program, Kernel(unprobed))
    assert result.verdict is None
    assert [file.path for file in result.files] == [program.path]
    prediction = predict(program, unprobed)
    assert prediction.verdict is None
    assert prediction.not_modelled is not None
    assert prediction.not_modelled.what == "64-bit program's address space"


@pytest.mark.parametrize("runs", [True, False, None])
def test_an_x32_program_is_refused_where_the_kernel_runs_none(tmp_path: Path, runs: bool | None) -> None:
    """Its headers are no 64-bit program's; the handler of 32-bit files looks at them if it takes x32."""
    program = write_program(tmp_path, Elf(machine=EM_X86_64).build())
    result = execve(program, Kernel(with_rules(runs_x32=runs)))
    if runs is False:
        assert str(result.verdict) == "refused: ENOEXEC"
    else:
        assert result.not_modelled is not None
        assert result.not_modelled.what == "x32 program's address space"


def test_a_refused_interpreter_is_closed_with_the_rest(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"echo hi\n" * 20)
    (tmp_path / "text").chmod(0o755)
    name = os.fsencode(tmp_path / "text") + b"\0"
    elf = Elf([TEXT, Phdr(type=PT_INTERP, offset=0x200, filesz=len(name))], contents={0x200: name})
    program = write_program(tmp_path, elf.build())
    with Kernel(PROFILE) as kernel:
        assert str(execve(program, kernel).verdict) == "refused: ELIBBAD"
        opened = [file.fileno() for file in kernel.loaded_files]
    assert len(opened) == 2
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_an_auxv_entry_without_a_source_is_not_guessed(tmp_path: Path) -> None:
    from dataclasses import replace

    from inspector.model.profile import AuxConstant

    odd = replace(PROFILE, auxv=(*PROFILE.auxv, AuxConstant(77)))
    limit = execve(write_program(tmp_path, Elf().build()), Kernel(odd)).not_modelled
    assert limit is not None
    assert limit.what == "auxiliary vector entry AT_77"


def test_the_prediction_with_aslr_needs_the_bases(tmp_path: Path) -> None:
    from dataclasses import replace

    program = replace(write_program(tmp_path, Elf().build()), randomize=True)
    prediction = predict(program, PROFILE)
    assert prediction.not_modelled is not None
    assert "ASLR" in prediction.not_modelled.what


READ_ONLY_TAIL = Phdr(offset=0x1000, vaddr=0x08049000, filesz=0x10, memsz=0x20, flags=R)
EARLY_BSS = Phdr(offset=0x1000, vaddr=0x08049000, filesz=0x10, memsz=0x3000, flags=R | W)
LATER = Phdr(offset=0x2000, vaddr=0x08060000, filesz=0x1000, flags=R)


def test_a_tail_that_cannot_be_cleared_kills_where_bss_is_the_files(tmp_path: Path) -> None:
    elf = Elf([TEXT, READ_ONLY_TAIL, gnu_stack()])
    assert exec_on(PROFILE, tmp_path, elf)[0] == "runs"
    answer = exec_on(with_rules(program_bss_by_segment=False), tmp_path, elf)
    assert answer == ("killed: SIGSEGV", "elf.padzero", [])


@pytest.mark.parametrize(
    ("tail", "read_only", "beyond_the_file"),
    [
        (UnclearableTail.KILLS, "killed: SIGSEGV", "killed: SIGSEGV"),
        (UnclearableTail.KILLS_IF_WRITABLE, "runs", "killed: SIGSEGV"),
        (UnclearableTail.IGNORED, "runs", "runs"),
    ],
)
def test_a_tail_that_cannot_be_cleared(
    tmp_path: Path, tail: UnclearableTail, read_only: str, beyond_the_file: str
) -> None:
    machine = with_rules(unclearable_tail=tail)
    beyond = replace(READ_ONLY_TAIL, offset=0x8000, flags=R | W)
    assert exec_on(machine, tmp_path, Elf([TEXT, READ_ONLY_TAIL, gnu_stack()]))[0] == read_only
    assert exec_on(machine, tmp_path, Elf([TEXT, beyond, gnu_stack()]))[0] == beyond_the_file


def test_zeros_of_an_earlier_segment_are_made_before_the_next(tmp_path: Path) -> None:
    elf = Elf([TEXT, EARLY_BSS, LATER, gnu_stack()])
    expected = [
        "0x8048000-0x8049000 r-xp 0x0",
        "0x8049000-0x804a000 rw-p 0x1000",
        "0x804a000-0x804c000 rw-p 0x0",
        "0x8060000-0x8061000 r--p 0x2000",
    ]
    for by_segment in (True, False):
        answer = exec_on(with_rules(program_bss_by_segment=by_segment), tmp_path, elf)
        assert answer[2][:4] == expected


def test_zeros_below_the_farthest_file_part_are_not_made_for_the_whole_file(tmp_path: Path) -> None:
    elf = Elf([TEXT, LATER, EARLY_BSS, gnu_stack()])
    assert "0x804a000-0x804c000 rw-p 0x0" in exec_on(PROFILE, tmp_path, elf)[2]
    assert (
        "0x804a000-0x804c000 rw-p 0x0"
        not in exec_on(with_rules(program_bss_by_segment=False), tmp_path, elf)[2]
    )


@pytest.mark.parametrize("filesz", [0x1000, 0x800])
def test_an_interpreters_last_page_is_cleared_even_without_bss(tmp_path: Path, filesz: int) -> None:
    text = Phdr(vaddr=0, filesz=filesz)
    (tmp_path / "ld.so").write_bytes(Elf([text, gnu_stack()], type=3, entry=0x100).build())
    (tmp_path / "ld.so").chmod(0o755)
    name = f"{tmp_path}/ld.so\0".encode()
    interp = Phdr(type=PT_INTERP, offset=0x800, filesz=len(name))
    elf = Elf([interp, TEXT, gnu_stack()], contents={0x800: name})
    assert exec_on(PROFILE, tmp_path, elf)[0] == "runs"
    old = exec_on(with_rules(interpreter_bss_by_segment=False), tmp_path, elf)[0]
    assert old == ("runs" if filesz == 0x1000 else "killed: SIGSEGV")


@pytest.mark.parametrize(("limit", "outcome"), [(65536, "runs"), (4096, "refused: ENOEXEC")])
def test_the_limit_of_program_headers_is_the_machines(tmp_path: Path, limit: int, outcome: str) -> None:
    unused = [Phdr(type=0)] * 127
    elf = Elf([TEXT, gnu_stack(), *unused], phoff=0x1000, size=0x4000)
    elf.contents = {0x1000: b"".join(phdr.pack() for phdr in elf.phdrs)}
    assert exec_on(with_rules(program_headers_limit=limit), tmp_path, elf)[0] == outcome


@pytest.mark.parametrize("touches", [True, False])
def test_bss_that_ends_where_the_heap_starts_may_be_called_heap(tmp_path: Path, touches: bool) -> None:
    program = write_program(tmp_path, Elf([TEXT, DATA, gnu_stack()]).build())
    process = execve(program, Kernel(with_rules(heap_label_touches=touches))).process
    assert process is not None
    bss = next(vma for vma in process.snapshot().vmas or () if vma.end == process.task.mm.brk)
    assert bss.name == ("[heap]" if touches else "")


@pytest.mark.parametrize("heeded", [True, False])
def test_a_static_pies_alignment_may_be_ignored(tmp_path: Path, heeded: bool) -> None:
    elf = Elf([Phdr(vaddr=0, align=0x400000), gnu_stack()], type=3, entry=0x100)
    (first, *_) = exec_on(with_rules(static_pie_aligned=heeded), tmp_path, elf)[2]
    assert (int(first.split("-")[0], 16) % 0x400000 == 0) is heeded


HUGE = Phdr(offset=0x1000, vaddr=0x10000000, filesz=0x10, memsz=0x60000000, flags=R | W)
GIB = 1 << 30


@pytest.mark.parametrize(
    ("ram", "swap", "outcome"), [(1, 0, "killed: SIGSEGV"), (1, 1, "runs"), (2, 0, "runs")]
)
def test_what_ram_and_swap_could_never_back_is_refused(
    tmp_path: Path, ram: int, swap: int, outcome: str
) -> None:
    machine = replace(PROFILE, ram_bytes=ram * GIB, swap_bytes=swap * GIB)
    answer, rule, _ = exec_on(machine, tmp_path, Elf([TEXT, HUGE, gnu_stack()]))
    assert (answer, rule) == (outcome, "exec.runs" if outcome == "runs" else "memory.commit")


def test_the_most_that_is_granted_is_all_there_is(tmp_path: Path) -> None:
    """The cleared tail's page belongs to the file's mapping, and is charged by itself."""
    bss = HUGE.memsz - 0x1000 if HUGE.memsz else 0
    elf = Elf([TEXT, HUGE, gnu_stack()])
    assert exec_on(replace(PROFILE, ram_bytes=bss), tmp_path, elf)[0] == "runs"
    assert exec_on(replace(PROFILE, ram_bytes=bss - 0x1000), tmp_path, elf)[0] == "killed: SIGSEGV"


def test_memory_is_always_granted_where_the_machine_says_so(tmp_path: Path) -> None:
    machine = replace(PROFILE, ram_bytes=GIB, overcommit_memory=1)
    assert exec_on(machine, tmp_path, Elf([TEXT, HUGE, gnu_stack()]))[0] == "runs"


@pytest.mark.parametrize("policy", [2, None])
def test_a_commit_limit_is_named_not_guessed(tmp_path: Path, policy: int | None) -> None:
    machine = replace(PROFILE, overcommit_memory=policy)
    with pytest.raises(NotModelled, match="commit limit"):
        exec_on(machine, tmp_path, Elf([TEXT, HUGE, gnu_stack()]))
    assert exec_on(machine, tmp_path, Elf([TEXT, DATA, gnu_stack()]))[0] == "runs"


def test_a_read_only_mapping_is_not_charged(tmp_path: Path) -> None:
    elf = Elf([TEXT, replace(HUGE, filesz=0x60000000, flags=R), gnu_stack()])
    assert exec_on(replace(PROFILE, ram_bytes=GIB), tmp_path, elf)[0] == "runs"


def test_the_lowest_wish_may_lie_above_the_lowest_choice(tmp_path: Path) -> None:
    low = Elf([Phdr(vaddr=0x1000), gnu_stack()], type=3, entry=0x1100)
    (tmp_path / "ld.so").write_bytes(low.build())
    (tmp_path / "ld.so").chmod(0o755)
    name = f"{tmp_path}/ld.so\0".encode()
    interp = Phdr(type=PT_INTERP, offset=0x800, filesz=len(name))
    elf = Elf([interp, TEXT, gnu_stack()], contents={0x800: name})
    machine = replace(PROFILE, mmap_floor=0x1000, hint_floor=0x20000)
    assert exec_on(machine, tmp_path, elf)[2][0].startswith("0x20000-")


def test_an_ignored_tail_leaves_page_tables_behind(tmp_path: Path) -> None:
    beyond = replace(READ_ONLY_TAIL, offset=0x8000, flags=R | W)
    program = write_program(tmp_path, Elf([TEXT, beyond, gnu_stack()]).build())
    process = execve(program, Kernel(with_rules(unclearable_tail=UnclearableTail.IGNORED))).process
    assert process is not None
    # Of the stack: all three. Of the data, which has no page: the directory of its gigabyte.
    assert process.task.mm.page_tables.table_count == 4


@pytest.mark.parametrize("minds", [True, False])
def test_a_file_that_is_open_for_writing_may_not_run(tmp_path: Path, minds: bool) -> None:
    program = write_program(tmp_path, Elf().build())
    machine = with_rules(refuses_open_for_writing=minds)
    with Path(program.path).open("r+b"):
        answer = execve(program, Kernel(machine)).verdict
    assert answer is not None
    assert (str(answer), answer.rule) == (
        ("refused: ETXTBSY", "exec.open-for-writing") if minds else ("runs", "exec.runs")
    )
    assert str(execve(program, Kernel(machine)).verdict) == "runs"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give capabilities to a file")
def test_file_capabilities_are_named_not_guessed(tmp_path: Path) -> None:
    program = write_program(tmp_path, Elf().build())
    # struct vfs_cap_data, revision 2, effective: CAP_NET_BIND_SERVICE.
    os.setxattr(program.path, "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))
    limit = execve(program, Kernel(PROFILE)).not_modelled
    assert limit is not None
    assert limit.what == "program with file capabilities"


ARM = BinfmtMisc("qemu-arm", 18, b"\x28\x00", b"\xff\xff")


@pytest.mark.parametrize(
    ("handler", "taken"),
    [
        (BinfmtMisc("elf", 0, b"\x7fELF", b"\xff" * 4), True),
        (BinfmtMisc("elf, any case", 1, b"elf", b"\xdf" * 3), True),
        (ARM, False),
        (BinfmtMisc("by name", 0, b"", b"", "exe"), True),
        (BinfmtMisc("by another name", 0, b"", b"", "com"), False),
        (BinfmtMisc("behind the buffer", 255, b"\0\0", b"\xff\xff"), False),
        (BinfmtMisc("anything", 255, b"\x01", b"\x00"), True),
    ],
    ids=lambda value: value.name if isinstance(value, BinfmtMisc) else "",
)
def test_a_registered_handler_comes_first(tmp_path: Path, handler: BinfmtMisc, taken: bool) -> None:
    program = write_program(tmp_path, Elf().build(), name="program.exe")
    machine = replace(PROFILE, binfmt_misc=(ARM, handler))
    result = execve(program, Kernel(machine))
    if taken:
        assert result.not_modelled is not None
        assert handler.name in result.not_modelled.what
    else:
        assert str(result.verdict) == "runs"
