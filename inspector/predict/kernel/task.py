"""A process (struct task_struct)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inspector.model.page import PageState
from inspector.model.snapshot import Snapshot
from inspector.predict.kernel.rmap import frames_of_family
from inspector.predict.kernel.signal import SignalState

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.auxv import AuxEntry
    from inspector.model.ending import Ending
    from inspector.model.fault import FaultKind
    from inspector.model.fault_log import FaultLog
    from inspector.model.program import Credentials, Limits
    from inspector.model.registers import Registers
    from inspector.model.snapshot import StackImage
    from inspector.predict.kernel.entry import Call
    from inspector.predict.kernel.files import FileTable
    from inspector.predict.kernel.kernel import Kernel
    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.order import Clock


COMM_BYTES = 15
"""A process's name may have these many bytes (TASK_COMM_LEN less its NUL)."""


@dataclass(slots=True, eq=False)
class Task:
    """One process; it has one thread."""

    kernel: Kernel
    number: int
    """From 0 in order of creation."""
    mm: AddressSpace
    limits: Limits
    credentials: Credentials
    cwd: str
    executable: str
    """What /proc/PID/exe leads to."""
    files: FileTable
    comm: bytes
    """The name ps shows, at most COMM_BYTES of it."""
    pid: int
    process_group: int
    session: int
    """The launch begins a session, so the first process leads both."""
    parent: Task | None = None
    umask: int = 0o022
    """An assumption until the program sets it."""
    auxv: tuple[AuxEntry, ...] = ()
    minor_faults: int = 0
    major_faults: int = 0
    signals: SignalState = field(default_factory=SignalState)
    tls: dict[int, bytes] = field(default_factory=dict)
    """The thread-local entries of the GDT, by their number."""
    set_child_tid: int = 0
    """Where its number is to be stored before it runs for the first time; 0: nowhere."""
    clear_child_tid: int = 0
    robust_list: int = 0
    ending: Ending | None = None
    """None: it has not ended."""
    parent_was_told: bool = False
    """Whether its parent has had SIGCHLD from it: until then, it cannot be sure of the end."""
    clock: Clock = field(default_factory=dict)
    """What it knows of the turns of others, and its own."""
    children: list[Task] = field(default_factory=list)
    """Not yet waited for."""
    context: Any = None
    """The processor's registers while another task runs."""
    waits_for: Callable[[], bool] | None = None
    """What must become true before it goes on; None: nothing."""
    goes_on_at_rest: bool = False
    """Whether it goes on all the same when no task can."""
    interrupted_call: Call | None = None
    """The system call to make again when it goes on."""

    @property
    def faults(self) -> FaultLog:
        """The kernel's sequence of faults, which this task's are written to."""
        return self.kernel.faults

    def count_fault(self, kind: FaultKind) -> None:
        """Count a fault that was handled. Source: mm/memory.c:mm_account_fault()."""
        if kind.is_major:
            self.major_faults += 1
        else:
            self.minor_faults += 1

    def snapshot(
        self, checkpoint: str, registers: Registers | None, stack: StackImage | None = None
    ) -> Snapshot:
        """Return the process as it stands."""
        return Snapshot(
            checkpoint=checkpoint,
            registers=registers,
            vmas=tuple(self.mm.labelled()),
            pages=tuple(
                PageState(vpn, entry.kind)
                for vpn, entry in self.mm.page_tables.entries()
                if entry.kind is not None
            ),
            frames=frames_of_family(self),
            minor_faults=self.minor_faults,
            major_faults=self.major_faults,
            page_table_bytes=self.mm.page_tables.size_bytes,
            auxv=self.auxv,
            stack=stack,
            brk=self.mm.start_brk,
        )
