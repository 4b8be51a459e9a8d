"""System calls about the address space."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, AddressRange, VirtAddr, page_up
from inspector.model.vma import Access, Sharing, VmFlag
from inspector.predict.kernel import madvise, mlock, mprotect, mremap
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.files import HostFile
from inspector.predict.kernel.gup import mm_populate
from inspector.predict.kernel.shmem import MemFd, shmem_file_setup
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.uaccess import copy_from_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task
    from inspector.predict.kernel.vma import MappedFile

_PROT_GROWSDOWN, _PROT_GROWSUP, _PROT_BITS = 0x0100_0000, 0x0200_0000, 7
_MAP_SHARED, _MAP_PRIVATE, _MAP_SHARED_VALIDATE, _MAP_TYPE = 1, 2, 3, 0xF
_MAP_FIXED, _MAP_ANONYMOUS, _MAP_GROWSDOWN = 0x10, 0x20, 0x100
_MAP_DENYWRITE, _MAP_EXECUTABLE, _MAP_LOCKED, _MAP_NORESERVE = 0x800, 0x1000, 0x2000, 0x4000
_MAP_POPULATE, _MAP_NONBLOCK, _MAP_STACK, _MAP_FIXED_NOREPLACE = 0x8000, 0x10000, 0x20000, 0x100000
_MODELLED_FLAGS = (
    _MAP_TYPE
    | _MAP_FIXED
    | _MAP_ANONYMOUS
    | _MAP_DENYWRITE
    | _MAP_EXECUTABLE
    | _MAP_NORESERVE
    | _MAP_STACK
    | _MAP_LOCKED
    | _MAP_POPULATE
    | _MAP_NONBLOCK
    | _MAP_FIXED_NOREPLACE
)


def access_of(protection: int) -> Access:
    """Return PROT_ bits as an Access."""
    if protection & ~_PROT_BITS:
        raise NotModelled(f"memory protection {protection:#x}")
    return Access(protection)


@system_call("brk")
def brk(task: Task, address: int) -> int:
    """Move the end of the heap, which never merges with .bss.

    Source: mm/mmap.c:brk(), include/linux/mm.h:check_data_rlimit().
    """
    mm = task.mm
    too_much = address - mm.start_brk + mm.data_segment_bytes > mm.limits.data
    if address < mm.start_brk or too_much:
        return mm.brk
    old, new = page_up(mm.brk), page_up(address)
    if new < old:
        last = mm.find_above(new)
        if last is None or last.start >= old:
            return mm.brk
        try:
            mm.munmap(new, old - new)
        except KernelError:
            address = mm.brk
    elif new > old:
        above = mm.find_above(old)
        gap = 0 if above is None or not above.grows_down else mm.search.stack_guard_gap
        if above is not None and new + PAGE_SIZE > above.start - gap:
            return mm.brk
        try:
            if not mlock.mlock_future_ok(task, mm.def_flags, new - old):
                return mm.brk
            mm.brk_flags(old, new - old, execute=False, merge_above=mm.start_brk)
        except KernelError:
            return mm.brk
    mm.set_brk(VirtAddr(address))
    if new > old and mm.def_flags:
        mm_populate(task, old, new - old)
    return address


@system_call("mmap2")
def mmap2(task: Task, address: int, length: int, protection: int, flags: int, fd: int, pages: int) -> int:
    """Map memory; the offset is in pages. Source: arch/x86/kernel/sys_ia32.c, mm/mmap.c:do_mmap()."""
    mm = task.mm
    if flags & ~_MODELLED_FLAGS:
        raise NotModelled(f"mmap flags {flags:#x}")
    file = None if flags & _MAP_ANONYMOUS else _file_to_map(task, fd)
    if not length:
        raise KernelError(Errno.EINVAL)
    kind = flags & _MAP_TYPE
    if kind not in (_MAP_PRIVATE, _MAP_SHARED, _MAP_SHARED_VALIDATE):
        raise KernelError(Errno.EINVAL)
    if kind == _MAP_SHARED_VALIDATE:
        raise NotModelled("MAP_SHARED_VALIDATE")
    sharing = Sharing.PRIVATE if kind == _MAP_PRIVATE else Sharing.SHARED
    access = access_of(protection)
    locked = bool(flags & _MAP_LOCKED)
    _check_lock(task, page_up(length), locked=locked)
    account = not flags & _MAP_NORESERVE or mm.commit.never_overcommits
    if file is None and sharing is Sharing.SHARED:
        # It is a file of its own, and charged as a whole (mm/shmem.c:shmem_zero_setup(), shmem_acct_size()).
        file, pages = shmem_file_setup(task.kernel, "dev/zero", page_up(length)), 0
        if account:
            mm.commit.charge(page_up(length))
    fixed, noreplace = bool(flags & _MAP_FIXED), bool(flags & _MAP_FIXED_NOREPLACE)
    result = mm.mmap(
        file,
        VirtAddr(address),
        length,
        access,
        pages << PAGE_SHIFT,
        fixed=fixed,
        noreplace=noreplace,
        account=account,
        sharing=sharing,
        stack=bool(flags & _MAP_STACK),
        locked=locked,
    )
    if locked or mm.def_flags or flags & (_MAP_POPULATE | _MAP_NONBLOCK) == _MAP_POPULATE:
        mm_populate(task, result, page_up(length))
    return result


def _file_to_map(task: Task, descriptor: int) -> MappedFile:
    opened = task.files.get(descriptor)
    if not isinstance(opened, HostFile | MemFd):
        raise NotModelled("mmap of something other than a regular file")
    return opened.mapped


def _check_lock(task: Task, size: int, *, locked: bool) -> None:
    """Refuse what the limit of locked memory forbids. Source: mm/mmap.c:do_mmap()."""
    if locked and not mlock.can_do_mlock(task):
        raise KernelError(Errno.EPERM)
    flags = task.mm.def_flags | (VmFlag.LOCKED if locked else VmFlag.NONE)
    if not mlock.mlock_future_ok(task, flags, size):
        raise KernelError(Errno.EAGAIN)


@system_call("mmap")
def old_mmap(task: Task, argument: int) -> int:
    """Map memory, the six arguments in a structure. Source: mm/mmap.c:old_mmap()."""
    *first, offset = struct.unpack("<6I", copy_from_user(task, argument, 24))
    if offset % PAGE_SIZE:
        raise KernelError(Errno.EINVAL)
    return mmap2(task, *first, offset >> PAGE_SHIFT)


@system_call("munmap")
def munmap(task: Task, address: int, length: int) -> int:
    """Unmap memory. Source: mm/mmap.c:munmap(), mm/vma.c:do_vmi_munmap()."""
    size = page_up(length)
    if address % PAGE_SIZE or not size or address + size > task.mm.task_size:
        raise KernelError(Errno.EINVAL)
    task.mm.munmap(VirtAddr(address), size)
    return 0


@system_call("mprotect")
def sys_mprotect(task: Task, address: int, length: int, protection: int) -> int:
    """Change permissions. Source: mm/mprotect.c:do_mprotect_pkey()."""
    if protection & (_PROT_GROWSDOWN | _PROT_GROWSUP):
        raise NotModelled("mprotect with PROT_GROWSDOWN or PROT_GROWSUP")
    if address % PAGE_SIZE:
        raise KernelError(Errno.EINVAL)
    if not length:
        return 0
    size = page_up(length)
    if address + size > 1 << 32 and task.kernel.profile.kernel_word_bytes < 8:  # noqa: PLR2004
        raise KernelError(Errno.ENOMEM)
    mprotect.mprotect(task, AddressRange(VirtAddr(address), VirtAddr(address + size)), access_of(protection))
    return 0


@system_call("mremap")
def sys_mremap(task: Task, address: int, old_length: int, new_length: int, flags: int, new: int) -> int:
    """Grow, shrink or move a mapping. Source: mm/mremap.c:mremap()."""
    return mremap.mremap(task.mm, VirtAddr(address), old_length, new_length, flags, VirtAddr(new))


@system_call("madvise")
def sys_madvise(task: Task, address: int, length: int, advice: int) -> int:
    """Advise about memory. Source: mm/madvise.c:do_madvise()."""
    return madvise.madvise(task, address, length, signed(advice))


@system_call("mlock")
def sys_mlock(task: Task, address: int, length: int) -> int:
    """Keep memory resident. Source: mm/mlock.c:mlock()."""
    return mlock.mlock(task, address, length)


@system_call("munlock")
def sys_munlock(task: Task, address: int, length: int) -> int:
    """Let memory go. Source: mm/mlock.c:munlock()."""
    return mlock.munlock(task, address, length)


@system_call("mlockall")
def sys_mlockall(task: Task, flags: int) -> int:
    """Keep all memory resident. Source: mm/mlock.c:mlockall()."""
    return mlock.mlockall(task, flags)


@system_call("munlockall")
def sys_munlockall(task: Task) -> int:
    """Let all memory go. Source: mm/mlock.c:munlockall()."""
    return mlock.munlockall(task)
