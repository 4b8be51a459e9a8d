"""Which task runs: each until it waits for something or ends, the oldest that can go on before the others.

One order is as good as another: a process's own faults do not depend on when its relatives run.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.entry import do_syscall
from inspector.predict.kernel.errno import KernelError
from inspector.predict.kernel.uaccess import put_user

if TYPE_CHECKING:
    from inspector.predict.kernel.kernel import Kernel
    from inspector.predict.kernel.task import Task


def schedule(kernel: Kernel) -> Task | None:
    """Put the next task that can run on the processor and return it; None when every task has ended.

    Raises NotModelled where all that are left wait for each other.
    """
    while True:
        alive = [task for task in kernel.tasks if task.ending is None]
        if not alive:
            return None
        task = next((task for task in alive if task.waits_for is None or task.waits_for()), None)
        kernel.at_rest = task is None
        if task is None:
            task = next((task for task in alive if task.goes_on_at_rest), None)
        if task is None:
            raise NotModelled("processes that wait for each other for ever")
        _switch_to(kernel, task)
        if task.interrupted_call is not None:
            call, task.interrupted_call, task.waits_for = task.interrupted_call, None, None
            do_syscall(task, call)
            kernel.at_rest = False
        if task.waits_for is None and task.ending is None:
            return task


def _switch_to(kernel: Kernel, task: Task) -> None:
    """Source: kernel/sched/core.c:context_switch(), schedule_tail()."""
    previous = kernel.current
    if previous is task:
        return
    if previous is not None:
        previous.context = kernel.cpu.save()
    kernel.current = task
    if task.context is not None:
        kernel.cpu.restore(task.context)
        task.context = None
    for entry, contents in task.tls.items():
        kernel.cpu.set_descriptor(entry, contents)
    task.mm.tlb_is_stale = True
    if task.set_child_tid:
        address, task.set_child_tid = task.set_child_tid, 0
        with suppress(KernelError):
            put_user(task, address, task.pid)
