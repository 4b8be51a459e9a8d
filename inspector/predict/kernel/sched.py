"""Which task runs: each until it waits for something or ends, the oldest that can go on before the others.

One order is as good as another: a process's own faults do not depend on when its relatives run.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from signal import SIGCHLD
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, Vpn
from inspector.predict.kernel.entry import do_syscall
from inspector.predict.kernel.errno import KernelError
from inspector.predict.kernel.pipe import refuse_unread
from inspector.predict.kernel.signal import SignalInfo, child_ended
from inspector.predict.kernel.syscalls.children import wait_status
from inspector.predict.kernel.uaccess import copy_from_user, put_user

if TYPE_CHECKING:
    from inspector.predict.kernel.kernel import Kernel
    from inspector.predict.kernel.task import Task

_ROBUST_LIST_HEAD_BYTES = 12
_CLD_EXITED, _CLD_KILLED = 1, 2


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


def exit_mm(task: Task) -> None:
    """Give back an ended task's memory. Source: kernel/exit.c:exit_mm()."""
    if task.robust_list:
        _exit_robust_list(task)
    for area in task.mm.areas:
        task.mm.zap(area.range)
    refuse_unread(task.kernel)
    parent = task.parent
    if parent is not None and parent.ending is None:
        child_ended(parent, _news_of(task))


def _exit_robust_list(task: Task) -> None:
    """Look at the list of held futexes. Source: kernel/futex/core.c:compat_exit_robust_list().

    Raises NotModelled where that may fault: whether perf still sees it depends on the kernel's version.
    """
    head = task.robust_list
    pages = range(head >> PAGE_SHIFT, (head + _ROBUST_LIST_HEAD_BYTES - 1 >> PAGE_SHIFT) + 1)
    entries = [task.mm.page_tables.lookup(Vpn(page)) for page in pages]
    if all(entry is not None and entry.access for entry in entries):
        first, _, pending = struct.unpack("<3I", copy_from_user(task, head, _ROBUST_LIST_HEAD_BYTES))
        if first == head and not pending:
            return
    raise NotModelled("the futexes that an ended process still holds")


def _news_of(child: Task) -> SignalInfo:
    """Return what the parent of an ended task is sent."""
    status = wait_status(child)
    code = _CLD_EXITED if status & 0x7F == 0 else _CLD_KILLED
    return SignalInfo(SIGCHLD, code, sender=(child.pid, child.credentials.uid, status >> 8 or status & 0x7F))
