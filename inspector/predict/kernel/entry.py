"""From an instruction of the program to a system call and back (arch/x86/entry/).

Three instructions lead into the kernel. int 0x80 saves every register as it is; the vdso's sysenter and
syscall lose some, which it has put aside:

    sysenter   ebp holds esp                        the sixth argument lies at esp, where the vdso pushed ebp
    syscall    ecx is lost to the hardware,
               so ebp holds it                      as above
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.system_call import system_call_name
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.shmem import harvest
from inspector.predict.kernel.sigchld import refuse_child_race
from inspector.predict.kernel.syscalls import table
from inspector.predict.kernel.syscalls.registry import Blocked
from inspector.predict.kernel.uaccess import get_user
from inspector.predict.machine.cpu import CallGate

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_ARGUMENTS = ("ebx", "ecx", "edx", "esi", "edi", "ebp")


@dataclass(frozen=True, slots=True)
class Call:
    """A system call on its way: its number and the six registers that may hold arguments."""

    number: int
    arguments: tuple[int, ...]

    @property
    def name(self) -> str:
        """`write`, or the number of one that has no name."""
        return system_call_name(self.number)


def enter(task: Task, gate: CallGate) -> Call | None:
    """Make the registers those the kernel sees at entry; None where the call has already failed.

    Source: arch/x86/entry/syscall_32.c:__do_fast_syscall_32().
    """
    cpu = task.kernel.cpu
    number = cpu.read("eax")
    cpu.write("eax", -Errno.ENOSYS.number)
    if gate is not CallGate.INTERRUPT:
        cpu.write("eip", task.mm.vdso + task.kernel.landing_pad)
        if gate is CallGate.SYSCALL:
            cpu.write("ecx", cpu.read("ebp"))
        else:
            cpu.write("esp", cpu.read("ebp"))
        try:
            cpu.write("ebp", get_user(task, cpu.read("esp")))
        except KernelError as error:
            cpu.write("eax", -error.errno.number)
            return None
    return Call(number, tuple(cpu.read(name) for name in _ARGUMENTS))


def do_syscall(task: Task, call: Call) -> None:
    """Carry out a system call and leave its result in eax.

    Raises NotModelled for one that is not. Source: arch/x86/entry/syscall_32.c:do_syscall_32_irqs_on().
    """
    entry = table.entry(call.number)
    if entry is None:
        raise NotModelled(f"system call {call.name}")
    if len(task.kernel.tasks) > 1:
        harvest(task)
    try:
        task.kernel.cpu.write("eax", entry.handler(task, *call.arguments[: entry.arguments]))
    except KernelError as error:
        task.kernel.cpu.write("eax", -error.errno.number)
    except Blocked as blocked:
        task.waits_for, task.interrupted_call = blocked.until, call
        task.goes_on_at_rest = blocked.at_rest
    refuse_child_race(task)
