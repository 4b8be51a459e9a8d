"""The end of a process (kernel/exit.c)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, Vpn
from inspector.predict.kernel.pipe import refuse_unread
from inspector.predict.kernel.shmem import harvest
from inspector.predict.kernel.sigchld import exit_notify
from inspector.predict.kernel.uaccess import copy_from_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_ROBUST_LIST_HEAD_BYTES = 12


def do_exit(task: Task) -> None:
    """Take from an ended task what it had: its memory and its files; then tell its parent."""
    harvest(task)
    if task.robust_list:
        _exit_robust_list(task)
    for area in task.mm.areas:
        task.mm.zap(area.range)
    refuse_unread(task.kernel)
    exit_notify(task)


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
