"""The witness run: every fault, in order, of every process; held against the kernel's own counters."""

from __future__ import annotations

import os
import select
import shutil
import threading
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import VirtAddr
from inspector.model.fault import Fault, FaultMode
from inspector.model.fault_trace import FaultSource, FaultTrace
from inspector.model.vma import Access
from inspector.observe import ptrace
from inspector.observe.launch import launch
from inspector.observe.perf import recorder, witness
from inspector.observe.perf.recorder import online_cpus
from inspector.observe.perf.sources import BY_HOW_MUCH_THEY_TELL, software, software_user, tracepoints
from inspector.observe.perf.witness import record_faults
from inspector.observe.snapshot import read_fault_counts
from tests.elfwriter import Elf, Phdr, R, W, gnu_stack
from tests.live import launches
from tests.live.fault_programs import PLACE, build
from tests.live.looking import kinds_by_address, snapshot_now
from tests.machines import write_program

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.program import Program
    from inspector.observe.perf.endings import Endings
    from inspector.observe.perf.recorder import Recorder
    from inspector.observe.perf.sources import EventSet

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
FIXTURES = sorted(path.name for path in (ROOT / "fixtures" / "build").glob("*") if os.access(path, os.X_OK))
SECONDS = 60.0


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module", params=BY_HOW_MUCH_THEY_TELL, ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Callable[[], EventSet]:
    """Each source in turn; those that this machine does not allow are skipped."""
    found: Callable[[], EventSet] = request.param
    needs(found)
    return found


def needs(*ways: Callable[[], EventSet]) -> None:
    for way in ways:
        trace = record_faults(launches.launch("/bin/true"), seconds=SECONDS, ways=(way,))
        if trace.source is None:
            pytest.skip(trace.notes[0])


def fixture(name: str, stage: Path) -> Program:
    """Return a fixture on a tmpfs, where two runs do not differ."""
    return launches.launch(shutil.copy(ROOT / "fixtures" / "build" / name, stage / name))


def by_process(trace: FaultTrace) -> list[list[tuple[int, FaultMode, int | None]]]:
    """Return page, mode and instruction of each process's faults: how processes interleave may differ."""
    assert trace.faults is not None
    assert trace.lost == 0
    assert len(trace.faults) == trace.counted == sum(trace.counts)
    return [
        [(each.page, each.mode, each.ip) for each in trace.faults if each.process == number]
        for number in range(len(trace.counts))
    ]


def in_place(faults: tuple[Fault, ...] | None, process: int | None = None) -> list[int]:
    """Return the pages touched by the program's own doing, counted from where it touches them."""
    assert faults is not None
    return [
        (fault.page - PLACE) >> 12
        for fault in faults
        if PLACE <= fault.address < PLACE + (1 << 30) and process in {None, fault.process}
    ]


@pytest.mark.skipif(not FIXTURES, reason="fixtures not built")
@pytest.mark.parametrize("name", FIXTURES)
def test_tracepoints_and_software_event_tell_of_the_same_faults(name: str, stage: Path) -> None:
    needs(tracepoints)
    program = fixture(name, stage)
    best, other, user = (
        record_faults(program, seconds=SECONDS, ways=(way,)) for way in (tracepoints, software, software_user)
    )
    assert (best.source, other.source, user.source) == (
        FaultSource.TRACEPOINTS,
        FaultSource.SOFTWARE,
        FaultSource.SOFTWARE_USER,
    )
    assert str(best.verdict) == "runs"
    assert best.ending == other.ending == user.ending
    assert best.ending is not None
    assert best.output == other.output == user.output
    assert by_process(best) == by_process(other)
    assert by_process(user) == [
        [fault for fault in faults if fault[1] is FaultMode.USER] for faults in by_process(best)
    ]


@pytest.mark.skipif(not FIXTURES, reason="fixtures not built")
@pytest.mark.parametrize("name", FIXTURES)
def test_min_flt_counts_the_same_faults_but_refused_ones_and_the_strings_pages(
    name: str, stage: Path
) -> None:
    """Counted by /proc in a run without events: from execve's entry, at its return, and at the end."""
    program = fixture(name, stage)
    trace = record_faults(program, seconds=SECONDS)
    if trace.source not in {FaultSource.TRACEPOINTS, FaultSource.SOFTWARE}:
        pytest.skip(trace.notes[0])
    assert trace.faults is not None
    faults = [fault for fault in trace.faults if fault.process == 0]
    of_exec = len(list(takewhile(lambda fault: fault.mode is FaultMode.KERNEL, faults)))
    fatal = trace.ending is not None and trace.ending.signal is not None
    refused = fatal + trace.output.count(b" comes into ")  # the pager's own, each a signal that it handles
    with launch(program) as launched:
        at_exec = read_fault_counts(launched.pid)
        ptrace.detach(launched.pid)
        os.waitid(os.P_PID, launched.pid, os.WEXITED | os.WNOWAIT)
        at_end = read_fault_counts(launched.pid)
    strings = 1  # the arguments and the environment fill one page
    during_exec, after = at_exec - launched.baseline, at_end - at_exec
    assert during_exec.minor + during_exec.major == of_exec + strings
    assert after.minor + after.major == len(faults) - of_exec - refused


@pytest.mark.parametrize(
    ("name", "address", "access", "protection"),
    [
        ("null_read", 0, Access.READ, False),
        ("touch_kernel", 0xC0000000, Access.READ, False),
        ("write_text", None, Access.WRITE, True),
        ("execute_data", None, Access.EXECUTE, True),
        ("stack_overflow", None, Access.WRITE, False),
    ],
)
def test_the_fatal_fault_is_the_last(
    name: str, address: int | None, access: Access, protection: bool, stage: Path
) -> None:
    needs(tracepoints)
    if name not in FIXTURES:
        pytest.skip("fixtures not built")
    trace = record_faults(fixture(name, stage), seconds=SECONDS)
    assert trace.faults is not None
    assert str(trace.ending) == "SIGSEGV"
    last = trace.faults[-1]
    assert (last.mode, last.access, last.protection) == (FaultMode.USER, access, protection)
    assert last.ip is not None
    if address is not None:
        assert last.address == address
    if access is Access.EXECUTE:
        assert last.address == last.ip


def test_execve_clears_the_tail_of_a_page_and_writes_its_tables_as_kernel_faults(tmp_path: Path) -> None:
    needs(tracepoints)
    data = Phdr(offset=0x1000, vaddr=0x08050000, filesz=0x234, memsz=0x900, flags=R | W)
    exit_call = b"\xb8\1\0\0\0\xcd\x80"
    image = Elf([Phdr(), data, gnu_stack()], contents={0x100: exit_call}).build()
    program = write_program(tmp_path, image, argv=("ab",) * 3000, envp=())
    with launch(program) as launched:
        snapshot, _ = snapshot_now(launched.pid)
        resident = set(kinds_by_address(snapshot))
        top = max(vma.end for vma in snapshot.vmas or () if vma.name == "[stack]")
    # Four zero bytes, the path, the arguments; and page by page the faults nobody is told of.
    strings = 4 + len(program.path) + 1 + 3 * 3000
    string_pages = {VirtAddr(page) for page in range((top - strings) & ~0xFFF, top, 0x1000)}
    trace = record_faults(program, seconds=SECONDS)
    assert trace.faults is not None
    *of_exec, entry = trace.faults
    assert (entry.mode, entry.address, entry.access) == (FaultMode.USER, 0x08048100, Access.EXECUTE)
    assert of_exec[0].address == 0x08050234
    assert {fault.page for fault in of_exec} == resident - string_pages
    assert len(of_exec) == len(resident - string_pages) > 2
    assert {(each.mode, each.access, each.protection, each.ip) for each in of_exec} == {
        (FaultMode.KERNEL, Access.WRITE, False, None)
    }


def test_two_hundred_thousand_faults_arrive_all_in_order(way: Callable[[], EventSet], programs: Path) -> None:
    count = 200_000
    program = launches.launch(build(programs, "touches"), ("touches", str(count)))
    trace = record_faults(program, seconds=SECONDS, ways=(way,))
    assert in_place(trace.faults) == list(range(count))
    by_process(trace)
    assert [note for note in trace.notes if "lost" in note or "counter" in note] == []


def test_four_children_are_followed_from_birth(way: Callable[[], EventSet], programs: Path) -> None:
    count = 20_000
    program = launches.launch(build(programs, "forks"), ("forks", "4", str(count)))
    trace = record_faults(program, seconds=SECONDS, ways=(way,))
    assert [in_place(trace.faults, number) for number in range(5)] == [[], *[list(range(count))] * 4]
    first, second, third, fourth = by_process(trace)[1:]
    assert first == second == third == fourth


def test_processes_are_numbered_by_creation_and_threads_are_part_of_theirs(
    way: Callable[[], EventSet], programs: Path
) -> None:
    trace = record_faults(launches.launch(build(programs, "family")), seconds=SECONDS, ways=(way,))
    assert len(trace.counts) == 4
    by_process(trace)
    assert in_place(trace.faults, 1) == [10, 11]
    assert in_place(trace.faults, 2) == [20, 21, 22, 23]
    assert in_place(trace.faults, 3) == []
    own = in_place(trace.faults, 0)
    assert own[0] == 0
    assert sorted(own[1:]) == list(range(30, 38))


@pytest.mark.skipif(len(online_cpus() & os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_a_program_that_changes_its_cpu_is_followed_there(
    way: Callable[[], EventSet], programs: Path
) -> None:
    program = launches.launch(build(programs, "wanders"), ("wanders", "2"))
    trace = record_faults(program, seconds=SECONDS, ways=(way,))
    assert str(trace.ending) == "exit 0"
    assert in_place(trace.faults) == list(range(200))
    by_process(trace)


def test_a_refused_program_has_no_faults_and_a_killed_one_those_of_execve(tmp_path: Path) -> None:
    refused = record_faults(launches.launch("/nonexistent"), seconds=SECONDS)
    assert (str(refused.verdict), refused.ending) == ("refused: ENOENT", None)
    assert not refused.faults
    beyond = write_program(tmp_path, Elf(entry=0xFFFFF000).build())
    killed = record_faults(beyond, seconds=SECONDS)
    assert (str(killed.verdict), killed.ending) == ("killed: SIGSEGV", None)


def test_another_program_in_a_child_is_noted(programs: Path) -> None:
    program = launches.launch(build(programs, "executes"), ("executes", "/bin/true"))
    trace = record_faults(program, seconds=SECONDS)
    assert len(trace.counts) == 2
    assert [note for note in trace.notes if "process 1 executed true after" in note]


@pytest.mark.parametrize(
    ("number", "name"), [(15, "SIGTERM"), (9, "SIGKILL"), (35, "SIG35"), (64, "SIG64")], ids=str
)
def test_the_ending_is_the_signal_as_gdb_names_it(number: int, name: str, programs: Path) -> None:
    program = launches.launch(build(programs, "kills_itself"), ("kills_itself", str(number)))
    trace = record_faults(program, seconds=SECONDS)
    assert str(trace.ending) == name


def test_what_it_prints_holds_nothing_up(programs: Path) -> None:
    trace = record_faults(launches.launch(build(programs, "prints")), seconds=SECONDS)
    assert str(trace.ending) == "exit 0"
    assert trace.output == b"a line\n" * (len(trace.output) // 7) + b"a line\n"[: len(trace.output) % 7]
    assert len(trace.output) == 1 << 20


def processes_of(program: Path) -> set[int]:
    """Return the processes that run `program`."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/exe"):
        with suppress(OSError):
            if link.readlink() == program:
                found.add(int(link.parent.name))
    return found


def test_a_program_that_does_not_end_is_killed_and_it_is_said(programs: Path) -> None:
    path = build(programs, "spins")
    trace = record_faults(launches.launch(path), seconds=0.5)
    assert trace.ending is None
    assert not trace.complete
    assert in_place(trace.faults) == [0]
    assert [note for note in trace.notes if note.startswith("the program was killed at the deadline")]
    assert processes_of(path) == set()


def test_what_outlives_the_program_is_killed_wherever_it_went(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness, "_LINGER_SECONDS", 0.2)
    path = build(programs, "leaves")
    trace = record_faults(launches.launch(path), seconds=SECONDS)
    assert str(trace.ending) == "exit 3"
    assert not trace.complete
    assert len(trace.counts) == 3
    assert [note for note in trace.notes if note.startswith("process 1, 2 outlived the program")]
    assert in_place(trace.faults, 2) == [0]
    assert processes_of(path) == set()


@pytest.mark.parametrize("name", ["family", "leaves"])
def test_nothing_of_ours_is_left_changed(name: str, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "_LINGER_SECONDS", 0.1)
    program = launches.launch(build(programs, name))
    record_faults(program, seconds=SECONDS)
    before = state_of_ours()
    record_faults(program, seconds=SECONDS)
    assert state_of_ours() == before


def state_of_ours() -> dict[str, object]:
    for thread in threading.enumerate():
        if thread.name == "closing perf events":
            thread.join()
    children = [
        child
        for task in Path("/proc/self/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "children": children,
        "mounts": Path("/proc/self/mountinfo").read_text(),
        "affinity": os.sched_getaffinity(0),
    }


def test_what_a_ring_has_no_room_for_is_counted(
    way: Callable[[], EventSet], programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep_through_it(
        _recorder: Recorder, _endings: Endings, process: int, _deadline: float
    ) -> tuple[bool, bool]:
        poll = select.poll()
        poll.register(process, select.POLLIN)
        return bool(poll.poll(SECONDS * 1000)), True

    monkeypatch.setattr(recorder, "_HOME_PAGES", 4)
    monkeypatch.setattr(witness, "_drain_until_end", sleep_through_it)
    program = launches.launch(build(programs, "touches"), ("touches", "5000"))
    trace = record_faults(program, seconds=SECONDS, ways=(way,))
    assert trace.faults is not None
    assert trace.counted is not None
    assert trace.lost > 4000
    assert len(trace.faults) + trace.lost == trace.counted
    touched = in_place(trace.faults)
    assert touched == list(range(len(touched)))
    gap = f"{trace.lost} of {trace.counted} faults were lost, the first after {len(trace.faults)} faults"
    assert gap in trace.notes
