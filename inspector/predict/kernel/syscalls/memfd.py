"""System calls that make a file in memory and give it a size (mm/memfd.c, fs/open.c)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.shmem import MemFd, shmem_file_setup
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.uaccess import strncpy_from_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_MFD_CLOEXEC, _MFD_ALLOW_SEALING = 1, 2
_LONGEST_NAME = 249
"""NAME_MAX less the prefix `memfd:`."""
_WORD_BYTES = 8


@system_call("memfd_create")
def memfd_create(task: Task, name: int, flags: int) -> int:
    """Source: mm/memfd.c:memfd_create()."""
    if flags & ~(_MFD_CLOEXEC | _MFD_ALLOW_SEALING):
        raise NotModelled(f"memfd_create with flags {flags:#x}")
    text = os.fsdecode(_name(task, name))
    task.kernel.assume("memfd_noexec", "0: /proc/sys/vm/memfd_noexec")
    file = MemFd(task.kernel, shmem_file_setup(task.kernel, f"memfd:{text}", 0))
    return task.files.add(file, close_on_exec=bool(flags & _MFD_CLOEXEC))


def _name(task: Task, address: int) -> bytes:
    """Read the name. Raises KernelError(EFAULT or EINVAL).

    Older kernels measure it first, in aligned words, and then copy it; newer ones copy it at once, in words
    from its start on. Where the last of those reaches into another page, it depends on the version whether
    that page is touched. Source: mm/memfd.c:alloc_name(), memfd_create() of Linux 6.12.
    """
    text = strncpy_from_user(task, address, _LONGEST_NAME + 1)
    if len(text) > _LONGEST_NAME:
        raise KernelError(Errno.EINVAL)
    end = address + len(text) + 1
    read = address + -(-(end - address) // _WORD_BYTES) * _WORD_BYTES
    if end - 1 >> PAGE_SHIFT != read - 1 >> PAGE_SHIFT:
        raise NotModelled("the name of a memfd that ends less than eight bytes before a page does")
    return text


@system_call("ftruncate")
def ftruncate(task: Task, descriptor: int, size: int) -> int:
    """Source: fs/open.c:ftruncate()."""
    return _ftruncate(task, descriptor, signed(size))


@system_call("ftruncate64")
def ftruncate64(task: Task, descriptor: int, low: int, high: int) -> int:
    """Source: arch/x86/kernel/sys_ia32.c:ia32_ftruncate64()."""
    return _ftruncate(task, descriptor, signed(high) << 32 | low)


def _ftruncate(task: Task, descriptor: int, size: int) -> int:
    """Set the size of a memfd; no other file is open for writing. Source: fs/open.c:do_ftruncate()."""
    if size < 0:
        raise KernelError(Errno.EINVAL)
    file = task.files.get(descriptor)
    if not isinstance(file, MemFd):
        raise KernelError(Errno.EINVAL)
    file.truncate(task, size)
    return 0
