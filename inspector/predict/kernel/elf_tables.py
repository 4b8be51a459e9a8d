"""The tables of create_elf_tables() on their way into the new process.

The kernel does not remember how long the strings are: it reads them from where they should lie. By then a
segment may have been mapped over them, or over the tables' own place, and then what is there is measured, and
written to if it may be.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SIZE, AddressRange, VirtAddr, address_of
from inspector.model.snapshot import StackImage
from inspector.model.vma import Access
from inspector.predict.kernel.bprm import MAX_ARG_STRLEN
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.fault import fault_in_pages
from inspector.predict.kernel.stack import RANDOM_BYTES, stack_pointer
from inspector.predict.kernel.uaccess import copy_to_user, store, strnlen_user

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.model.profile import NativeProfile
    from inspector.model.snapshot import Unpredictable
    from inspector.predict.kernel.stack import StackTables, Strings
    from inspector.predict.kernel.task import Task

_WORD, _NATIVE_WORD = 4, 8


def write_tables(task: Task, tables: StackTables, strings: Strings, top: VirtAddr) -> StackImage:
    """Write the tables, the stack growing as they need it; return what is found from the stack pointer up.

    `top` is where the stack ends. Raises KernelError(EFAULT or EINVAL), rules `stack.overlaid`
    and `exec.stack-full`. Source: fs/binfmt_elf.c:create_elf_tables().
    """
    try:
        _put_tables(task, tables, strings, top)
    except KernelError as error:
        raise KernelError(error.errno, error.rule or "stack.overlaid") from error
    sp = task.mm.start_stack = tables.image.sp
    area = task.mm.find(sp)
    end = area.end if area is not None else sp
    return StackImage(sp, _found(task, sp, end), tuple(_below(end, tables.image.unpredictable)))


def reserve_tables(task: Task, strings: Strings, native: NativeProfile, top: VirtAddr) -> None:
    """Touch what the tables of a 64-bit program take, the stack growing as they need it.

    What they say, but for the strings' places, is not predicted: zeros stand for it, read by no one before
    the program does. `top` is where the stack ends. Raises KernelError like `write_tables`.
    """
    platform = native.platform.encode() + b"\0"
    platform_at = (strings.start & ~0xF) - len(platform)
    sp = stack_pointer(
        strings,
        padding=0,
        platform=native.platform,
        auxv_entries=native.auxv_entries,
        word_bytes=_NATIVE_WORD,
    )
    mm = task.mm
    try:
        copy_to_user(task, platform_at, platform)
        copy_to_user(task, platform_at - RANDOM_BYTES, bytes(RANDOM_BYTES))
        _extend_stack(task, sp)
        stack = mm.find(strings.start)
        if stack is not None and stack.grows_down and stack.start <= sp and stack.end == top:
            fault_in_pages(task, sp, strings.start - sp, Access.WRITE)
        else:
            auxv = bytes(2 * _NATIVE_WORD * native.auxv_entries)
            _put_measured(task, sp, strings, auxv, _NATIVE_WORD)
    except KernelError as error:
        raise KernelError(error.errno, error.rule or "stack.overlaid") from error
    mm.start_stack = sp


def _extend_stack(task: Task, sp: VirtAddr) -> None:
    """Have an area where the stack pointer is. Source: mm/mmap.c:find_extend_vma_locked()."""
    if task.mm.find(sp) is None and task.mm.expand_stack(sp, task.limits.stack) is None:
        raise KernelError(Errno.EFAULT, "exec.stack-full")


def _put_tables(task: Task, tables: StackTables, strings: Strings, top: VirtAddr) -> None:
    sp = tables.image.sp
    platform, random, words = tables.written(task.kernel.random_bytes(RANDOM_BYTES))
    copy_to_user(task, *platform)
    copy_to_user(task, *random)
    _extend_stack(task, sp)
    if _found(task, strings.start, top) == tables.image.contents[strings.start - sp :]:
        # The strings are as they were, and so are their lengths.
        copy_to_user(task, *words)
    else:
        _put_measured(task, sp, strings, tables.auxv_bytes, _WORD)


def _put_measured(task: Task, sp: VirtAddr, strings: Strings, auxv: bytes, word: int) -> None:
    """Write argc, the pointers and the auxiliary vector, each pointer a string's length behind the last.

    `word` is a pointer's size in bytes.
    """
    place, string = sp, strings.start

    def put(value: int) -> None:
        nonlocal place
        store(task, place, (value % (1 << 8 * word)).to_bytes(word, "little"))
        place = VirtAddr(place + word)

    argc, envc = len(strings.argv), len(strings.envp)
    put(argc)
    for count in (argc, envc):
        for _ in range(count):
            put(string)
            length = strnlen_user(task, string, MAX_ARG_STRLEN)
            if not 0 < length <= MAX_ARG_STRLEN:
                raise KernelError(Errno.EINVAL)
            string = VirtAddr(string + length)
        put(0)
    copy_to_user(task, place, auxv)


def _found(task: Task, start: VirtAddr, end: VirtAddr) -> bytes:
    """Return what lies from `start` to `end`, without touching it; absent pages count as zeros."""
    mm = task.mm
    contents = bytearray()
    for vpn in AddressRange(start, end).vpns():
        first = max(start, address_of(vpn))
        size = min(end, address_of(vpn + 1)) - first
        entry = mm.page_tables.lookup(vpn)
        contents += bytes(size) if entry is None else mm.memory.read(entry.frame, first % PAGE_SIZE, size)
    return bytes(contents)


def _below(end: VirtAddr, unpredictable: Sequence[Unpredictable]) -> Iterator[Unpredictable]:
    """Yield what lies below `end`."""
    for each in unpredictable:
        if each.start < end:
            yield dataclasses.replace(each, length=min(each.length, end - each.start))
