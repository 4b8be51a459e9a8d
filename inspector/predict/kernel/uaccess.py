"""The kernel's own accesses to user memory: they fault like the program's, page by page, in kernel mode.

Source: arch/x86/include/asm/uaccess.h, lib/strncpy_from_user.c.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeVar

from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, VirtAddr, Vpn
from inspector.model.vma import Access
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.fault import exc_page_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inspector.predict.kernel.task import Task
    from inspector.predict.machine.pagetable import PageTableEntry

_T = TypeVar("_T")
_TASK_SIZE_MAX = 1 << 47
"""Of a 64-bit kernel: what it takes for a user's address, however small the program's own half is."""
_WORD_BYTES = 8
"""strncpy_from_user reads a word of the kernel's at a time."""


def touch(task: Task, address: int, access: Access) -> PageTableEntry:
    """Return the entry of a page after the kernel touched it at `address`.

    Raises KernelError(EFAULT) where the area forbids it, or there is none.
    """
    vpn = Vpn(address >> PAGE_SHIFT)
    while True:
        entry = task.mm.page_tables.lookup(vpn)
        if entry is not None and access in entry.access:
            entry.use(access)
            if task.kernel.references is not None and not task.number:
                task.kernel.references.access_by_kernel(vpn)
            return entry
        refused = exc_page_fault(task, VirtAddr(address), access, None)
        # Where the page was there already, the processor may remember the frame that was copied.
        task.mm.tlb_is_stale |= entry is not None
        if refused is not None:
            raise KernelError(Errno.EFAULT, "elf.file-too-short" if refused.signal == "SIGBUS" else None)


def _pieces(task: Task, address: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut a stretch of user memory at page boundaries: (address, size).

    To a 64-bit kernel every 32-bit address may be a user's, so what lies above the program's own half is
    tried, and faults. Source: arch/x86/include/asm/uaccess_64.h:__access_ok().
    """
    end = address + size
    if end > task.mm.task_size and task.kernel.profile.kernel_word_bytes < 8:  # noqa: PLR2004
        raise KernelError(Errno.EFAULT)
    while address < end:
        upto = min(end, (address & -PAGE_SIZE) + PAGE_SIZE)
        yield address, upto - address
        address = upto


def copy_to_user(task: Task, address: int, data: bytes) -> None:
    """Store `data` at `address`. Raises KernelError(EFAULT); pages before the bad one are written."""
    done = 0
    memory = task.mm.memory
    for at, size in _pieces(task, address, len(data)):
        entry = touch(task, at, Access.WRITE)
        memory.write(entry.frame, at % PAGE_SIZE, data[done : done + size])
        done += size


def copy_from_user(task: Task, address: int, size: int) -> bytes:
    """Return `size` bytes at `address`. Raises KernelError(EFAULT)."""
    memory = task.mm.memory
    contents = b""
    for at, length in _pieces(task, address, size):
        entry = touch(task, at, Access.READ)
        contents += memory.read(entry.frame, at % PAGE_SIZE, length)
    return contents


def clear_user(task: Task, address: int, size: int) -> None:
    """Zero `size` bytes at `address`. Raises KernelError(EFAULT)."""
    copy_to_user(task, address, bytes(size))


def get_user(task: Task, address: int) -> int:
    """Return the 32-bit word at `address`. Raises KernelError(EFAULT)."""
    (value,) = struct.unpack("<I", copy_from_user(task, address, 4))
    return int(value)


def put_user(task: Task, address: int, value: int) -> None:
    """Store a 32-bit word at `address`. Raises KernelError(EFAULT)."""
    store(task, address, struct.pack("<I", value & 0xFFFF_FFFF))


def store(task: Task, address: int, data: bytes) -> None:
    """Store up to eight bytes with one instruction: all of them or, where it faults for good, none.

    Raises KernelError(EFAULT). Source: arch/x86/include/asm/uaccess.h:unsafe_put_user().
    """
    for at, _ in _pieces(task, address, len(data)):
        touch(task, at, Access.WRITE)
    copy_to_user(task, address, data)


def every(*accesses: Callable[[], _T]) -> list[_T]:
    """Make every access, whatever becomes of those before it, as the kernel's `error |= ...` does.

    Raises KernelError(EFAULT) in the end where one has failed.
    """
    results, failed = [], None
    for access in accesses:
        try:
            results.append(access())
        except KernelError as error:
            failed = error
    if failed is not None:
        raise failed
    return results


def strnlen_user(task: Task, address: int, limit: int) -> int:
    """Return the size of the string at `address`, its NUL included; more than `limit` if that is too long.

    0 where it cannot be read that far. Aligned words are read, so no page is touched that the string does
    not reach. Source: lib/strnlen_user.c:strnlen_user().
    """
    at, end = address, address + limit
    while at < end:
        piece = min(end, (at & -PAGE_SIZE) + PAGE_SIZE) - at
        try:
            found = copy_from_user(task, at, piece).find(b"\0")
        except KernelError:
            return 0
        if found >= 0:
            return at + found + 1 - address
        at += piece
    return limit + 1


def strncpy_from_user(task: Task, address: int, limit: int) -> bytes:
    """Return the string at `address` without its NUL; `limit` bytes if none was found by then.

    Words are read as long as they can be, so a string that ends just below a page's end may touch the
    next page. Raises KernelError(EFAULT). Source: lib/strncpy_from_user.c:do_strncpy_from_user().
    """
    is_64_bit = task.kernel.profile.kernel_word_bytes == 8  # noqa: PLR2004
    limit = min(limit, (_TASK_SIZE_MAX if is_64_bit else task.mm.task_size) - address)
    if limit <= 0:
        raise KernelError(Errno.EFAULT)
    contents = b""
    while len(contents) < limit:
        size = _WORD_BYTES if limit - len(contents) >= _WORD_BYTES else 1
        try:
            piece = copy_from_user(task, address + len(contents), size)
        except KernelError:
            if size == 1:
                raise
            return contents + _byte_at_a_time(task, address + len(contents), limit - len(contents))
        contents += piece
        if b"\0" in piece:
            return contents[: contents.index(b"\0")]
    return contents


def _byte_at_a_time(task: Task, address: int, limit: int) -> bytes:
    contents = b""
    while len(contents) < limit:
        byte = copy_from_user(task, address + len(contents), 1)
        if byte == b"\0":
            break
        contents += byte
    return contents
