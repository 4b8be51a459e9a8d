"""What the reports of the golden files are made of: the small program of hello.py in every plight."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.elf.header import new_header
from inspector.explain.find import explain
from inspector.layout.views import Views, views_of
from inspector.model.address import AddressRange, FileOffset, VirtAddr, Vpn
from inspector.model.auxv import AuxEntry, AuxType
from inspector.model.ending import Ending
from inspector.model.frame import FrameOwner, FrameRun, PagePlace
from inspector.model.observation import Observation
from inspector.model.page import PageKind, PageState
from inspector.model.prediction import (
    Assumption,
    ExecVerdict,
    FileIdentity,
    NotModelledAt,
    Outcome,
    Prediction,
)
from inspector.model.program import BASE_ENVIRONMENT
from inspector.model.snapshot import Snapshot
from inspector.model.vma import Access, FileBacking, Special
from inspector.reconcile import Reconciliation, reconcile
from inspector.story.evidence import Evidence, OpenedFile
from inspector.story.tell import tell
from tests.golden.report.hello import (
    AUXV,
    CHILD,
    EXEC,
    FAULTS,
    FILES,
    HOST,
    MAIN,
    OBSERVATION,
    PATH,
    PREDICTION,
    PROGRAM,
    RX,
    SEGFAULT,
    SP,
    VMAS,
    R,
    file_vma,
    image,
    stack,
    vma,
)
from tests.machines import ENTRY_REGISTERS, PROFILE

if TYPE_CHECKING:
    from inspector.explain import Explanation
    from inspector.model.fault import Fault
    from inspector.story import Story


def agreeing() -> Reconciliation:
    """Return what everybody hopes for."""
    return reconcile(PREDICTION, OBSERVATION)


def differing() -> Reconciliation:
    """Return an observation that differs in every aspect, and could not look at one."""
    moved = replace(VMAS[3], range=AddressRange(VirtAddr(0x080E9000), VirtAddr(0x080EF000)))
    other = file_vma(0x40000000, 0x40001000, RX, 0, "/usr/lib32/ld-linux.so.2")
    broken = bytearray(stack().contents)
    broken[0x20:0x24] = b"\xde\xad\xbe\xef"
    exec_ = replace(
        EXEC,
        registers=replace(ENTRY_REGISTERS, eip=0x08049570, esp=SP, edx=0xF7FE3A40),
        vmas=(*VMAS[:2], replace(VMAS[2], access=RX), moved, other, *VMAS[5:]),
        pages=(EXEC.pages[0], PageState(Vpn(0xFFFFC), None)) if EXEC.pages else (),
        minor_faults=5,
        page_table_bytes=24576,
        auxv=(*AUXV[:1], AuxEntry(AuxType.AT_ENTRY, 0x08049571), *AUXV[2:]),
        stack=replace(stack(), contents=bytes(broken)),
        brk=None,
    )
    return reconcile(PREDICTION, replace(OBSERVATION, snapshots=(exec_,), perturbations=(), output=b""))


def sharing() -> Reconciliation:
    """Return a program and its child, which was to copy two pages and copied one."""
    cached = FrameRun(0, Vpn(0x08049), 16, FrameOwner.PAGE_CACHE, PATH, FileOffset(0x1000), 2)
    written = FrameRun(0, Vpn(0x080ED), 2, FrameOwner.PRIVATE, mapped=1)
    zero = FrameRun(0, Vpn(0x080EF), 1, FrameOwner.ZERO)
    common = FrameRun(0, Vpn(0xF7FF5), 1, FrameOwner.SHARED_MEMORY, "/dev/zero (deleted)", FileOffset(0), 2)
    vdso = FrameRun(0, Vpn(0xF7FFC), 1, FrameOwner.KERNEL, mapped=2, or_more=True)
    stack_page = FrameRun(0, Vpn(0xFFFFD), 1, FrameOwner.COPY_ON_WRITE, mapped=2)

    def childs(run: FrameRun) -> FrameRun:
        return replace(run, process=1, same_as=PagePlace(0, run.start))

    predicted = (
        *(cached, written, zero, common, vdso, stack_page),
        *(childs(cached), replace(written, process=1), replace(zero, process=1)),
        *(childs(common), childs(vdso), childs(stack_page)),
    )
    still = replace(written.part(1, 1), owner=FrameOwner.COPY_ON_WRITE, mapped=2)
    observed = (
        *(cached, written.part(0, 1), still, zero, common, replace(vdso, mapped=7, or_more=False)),
        *(stack_page, childs(cached), replace(written.part(0, 1), process=1), childs(still)),
        *(replace(zero, process=1), childs(common), childs(replace(vdso, mapped=7, or_more=False))),
        childs(stack_page),
    )
    return reconcile(
        replace(
            PREDICTION,
            snapshots=(EXEC, replace(MAIN, frames=predicted)),
            ending=Ending(status=0),
            children=(Ending(status=23), Ending(status=1)),
        ),
        replace(
            OBSERVATION,
            snapshots=(EXEC, replace(MAIN, frames=observed)),
            children=(Ending(status=23), Ending(signal="SIGSEGV")),
        ),
    )


def explained() -> Reconciliation:
    """Return the prediction of one staged copy held against the observation of another."""
    copy = "/dev/shm/inspector-0/fc8bb5f18e056c57/hello"  # noqa: S108
    elsewhere = tuple(
        replace(area, backing=FileBacking(copy, (0, 0x1C), 7, area.backing.offset))
        if isinstance(area.backing, FileBacking)
        else area
        for area in VMAS
    )
    exec_ = replace(EXEC, vmas=elsewhere, minor_faults=2, major_faults=1)
    interpreter = FileIdentity("/lib/ld-linux.so.2", (8, 1), 1311, 223000, "cd" * 32)
    files = (replace(FILES[0], path=copy, device=(0, 0x1C), inode=7), interpreter)
    return reconcile(
        replace(PREDICTION, files=(*FILES, interpreter)),
        replace(OBSERVATION, files=files, snapshots=(exec_,), perturbations=()),
    )


def unreached() -> Reconciliation:
    """Return a run to its end that never came to a stop that was asked for."""
    end, stop = Ending(status=0), ("syscall:brk#9",)
    return reconcile(
        replace(PREDICTION, ending=end, unreached=stop), replace(OBSERVATION, ending=end, unreached=stop)
    )


def two_runs() -> Reconciliation:
    """Return the prediction of one run held against the recording of another."""
    other = replace(PROGRAM, argv=(PATH, "b", "c"), envp=BASE_ENVIRONMENT[1:])
    files = (replace(FILES[0], sha256="ef" * 32),)
    mine = replace(PREDICTION, program=replace(PROGRAM, argv=(PATH, "a")))
    return reconcile(mine, replace(OBSERVATION, program=other, files=files))


def blind() -> Reconciliation:
    """Return an observer that stopped the program and could look at nothing."""
    return reconcile(PREDICTION, replace(OBSERVATION, snapshots=(Snapshot("exec"),), perturbations=()))


def refused() -> Reconciliation:
    """Return a file the kernel does not take."""
    program = replace(
        PROGRAM,
        path="README.md",
        requested="README.md",
        argv=("README.md",),
        not_staged="no tmpfs allows writing and execution",
    )
    verdict = ExecVerdict(Outcome.REFUSED, errno="EACCES", rule="exec.no-permission")
    prediction = Prediction(program, PROFILE, verdict)
    host = replace(HOST, gdb=None)
    return reconcile(prediction, Observation(program, host, replace(verdict, rule=None)))


def wrongly_refused() -> Reconciliation:
    """Return a program that was predicted to be refused, and runs."""
    verdict = ExecVerdict(Outcome.REFUSED, errno="ENOEXEC", rule="elf.type")
    return reconcile(Prediction(PROGRAM, PROFILE, verdict, FILES), replace(OBSERVATION, snapshots=(EXEC,)))


def not_modelled() -> Reconciliation:
    """Return a program the prediction does not reach, with arguments and surroundings to show."""
    program = replace(
        PROGRAM,
        argv=(PATH, "", "two  words", "x" * 300),
        envp=(*BASE_ENVIRONMENT, "EMPTY=", "ESCAPE=\x1b[31m"),
        stdin="/tmp/a file",  # noqa: S108
        requested="/home/reader/a rather long directory/with/many/levels/and\na newline/\udcffhello",
        randomize=True,
    )
    prediction = Prediction(
        program,
        PROFILE,
        None,
        not_modelled=NotModelledAt("64-bit program"),
        assumptions=(Assumption("brk", "0x1"),),
    )
    observation = Observation(
        program,
        HOST,
        ExecVerdict(Outcome.RUNS),
        ending=Ending(signal="SIGSEGV", code=1, address=VirtAddr(0)),
        output=b"\x1b]0;title\x07 \xff",
        notes=("64-bit program: only its address space was looked at",),
    )
    return reconcile(prediction, observation)


def _observed(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    return tuple(replace(f, kind=None, area=None, mapped=None, file_offset=None, symbol=None) for f in faults)


def faulting() -> Reconciliation:
    """Return a program whose every fault was predicted, and its end."""
    return reconcile(
        replace(PREDICTION, faults=(*FAULTS, *CHILD), ending=SEGFAULT),
        replace(
            OBSERVATION,
            faults=_observed((*FAULTS, *CHILD)),
            fault_source="tracepoints",
            ending=SEGFAULT,
            perturbations=(),
        ),
    )


def faulting_otherwise() -> Reconciliation:
    """Return a program that faults otherwise than predicted, and ends otherwise."""
    seen = list(_observed(FAULTS))
    seen[3] = replace(seen[3], protection=False)
    seen[4:5] = []
    seen.insert(2, replace(seen[1], address=VirtAddr(0x080B7010), access=Access.READ))
    return reconcile(
        replace(PREDICTION, faults=FAULTS, ending=SEGFAULT),
        replace(OBSERVATION, faults=tuple(seen), fault_source="tracepoints", perturbations=()),
    )


def barely_faulting() -> Reconciliation:
    """Return what an observer without privileges sees of faults, and a prediction that was cut short."""
    seen = tuple(
        replace(fault, access=None, protection=None) for fault in _observed(FAULTS) if fault.ip is not None
    )
    return reconcile(
        replace(PREDICTION, faults=FAULTS[:3]),
        replace(OBSERVATION, faults=seen, fault_source="software event, user mode only", perturbations=()),
    )


def barely_faulting_to_the_end() -> Reconciliation:
    """Return what an observer without privileges sees of a program that is predicted to its end."""
    hidden = barely_faulting()
    return reconcile(
        replace(hidden.prediction, faults=FAULTS, ending=SEGFAULT),
        replace(hidden.observation, ending=SEGFAULT),
    )


def views() -> Views:
    """Return the program's sections beside its areas."""
    return views_of(image(), EXEC)


def told() -> Story:
    """Return the story of the program whose every fault was predicted, observed in all but its kind."""
    both = faulting()
    file = OpenedFile(PATH, new_header(entry=0x08049570, phnum=5).pack(), image())
    return tell(Evidence(both.prediction, both.observation, (file,)), faults=3, unobserved=None)


def explanation(address: int) -> Explanation:
    """Return what is known of one address of that program."""
    both = faulting()
    file = OpenedFile(PATH, new_header(entry=0x08049570, phnum=5).pack(), image())
    evidence = Evidence(both.prediction, both.observation, (file,))
    return explain(evidence, f"{address:#x}", VirtAddr(address))


def live() -> Observation:
    """Return a 64-bit process that was found running."""
    wide = Snapshot(
        checkpoint="now",
        vmas=(
            file_vma(0x55C9424EA000, 0x55C9424EC000, R, 0, "/usr/bin/sleep"),
            vma(0x7FFFF7FC1000, 0x7FFFF7FC5000, R, Special("[vvar]")),
            vma(0xFFFFFFFFFF600000, 0xFFFFFFFFFF601000, Access.EXECUTE, Special("[vsyscall]")),
        ),
        pages=tuple(PageState(Vpn(0x55C9424EA + 2 * n), PageKind.FILE) for n in range(30)),
        minor_faults=133,
        major_faults=1,
        page_table_bytes=45056,
    )
    program = replace(PROGRAM, path="/usr/bin/sleep", requested="/usr/bin/sleep", argv=("sleep", "60"))
    return Observation(program, replace(HOST, gdb=None), None, snapshots=(wide,))


__all__ = [
    "agreeing",
    "barely_faulting",
    "barely_faulting_to_the_end",
    "blind",
    "differing",
    "explained",
    "explanation",
    "faulting",
    "faulting_otherwise",
    "live",
    "not_modelled",
    "refused",
    "sharing",
    "told",
    "two_runs",
    "unreached",
    "views",
    "wrongly_refused",
]
