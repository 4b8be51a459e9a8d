"""The zeros a program has beyond its file: the cleared tail of a file page, and anonymous memory.

    BssBySegment    made with each segment                     fs/binfmt_elf.c:elf_load()
    WholeFileBss    made once, behind the last segment         set_brk() and padzero() of Linux 6.1

There were kernels that had the one for programs and the other for interpreters, so the profile has a fact
for each (rule `elf.whole-file-bss`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from inspector.model.address import PAGE_SIZE, VirtAddr, page_up
from inspector.model.profile import UnclearableTail
from inspector.model.vma import Access
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.uaccess import clear_user

if TYPE_CHECKING:
    from inspector.elf.header import ProgramHeader
    from inspector.predict.kernel.task import Task


class Bss(Protocol):
    """When and how the zeros of one file's segments are made. The methods raise KernelError."""

    def maps_file(self, segment: ProgramHeader) -> bool:
        """Whether any page of the file is mapped for `segment`."""

    def add(self, task: Task, segment: ProgramHeader, start: VirtAddr) -> None:
        """Take note of `segment`, the first page of which has been mapped at `start`."""

    def map_before_next(self, task: Task, bias: int) -> None:
        """Make what is due before another segment of a program."""

    def map_behind_program(self, task: Task, bias: int) -> None:
        """Make what is due behind the last segment of a program."""

    def map_behind_interpreter(self, task: Task, bias: int) -> None:
        """Make what is due behind the last segment of an interpreter."""


@dataclass(frozen=True, slots=True)
class BssBySegment:
    """Each segment's zeros are made with it (rules `vma.segment-bss`, `elf.padzero`)."""

    tail: UnclearableTail

    def maps_file(self, segment: ProgramHeader) -> bool:
        """See Bss: an empty file part maps nothing."""
        return segment.filesz > 0

    def add(self, task: Task, segment: ProgramHeader, start: VirtAddr) -> None:
        """See Bss."""
        if segment.memsz <= segment.filesz:
            return
        in_page = segment.vaddr % PAGE_SIZE
        zero_start = start
        if segment.filesz:
            zero_start = VirtAddr(start + in_page + segment.filesz)
            padzero(task, zero_start, must_succeed=self._kills(segment))
        rest = page_up(zero_start)
        length = page_up(start + in_page + segment.memsz) - rest
        task.mm.brk_flags(rest, length, execute=Access.EXECUTE in segment.access)

    def _kills(self, segment: ProgramHeader) -> bool:
        if self.tail is UnclearableTail.KILLS_IF_WRITABLE:
            return Access.WRITE in segment.access
        return self.tail is UnclearableTail.KILLS

    def map_before_next(self, task: Task, bias: int) -> None:
        """See Bss."""

    def map_behind_program(self, task: Task, bias: int) -> None:
        """See Bss."""

    def map_behind_interpreter(self, task: Task, bias: int) -> None:
        """See Bss."""


@dataclass(slots=True)
class WholeFileBss:
    """One .bss, between what fs/binfmt_elf.c called elf_bss and elf_brk: both before load bias."""

    file_end: int = 0
    memory_end: int = 0
    execute: bool = False

    def maps_file(self, segment: ProgramHeader) -> bool:
        """See Bss: the page in which an empty file part would have begun is mapped."""
        return segment.filesz + segment.vaddr % PAGE_SIZE > 0

    def add(self, task: Task, segment: ProgramHeader, start: VirtAddr) -> None:  # noqa: ARG002
        """See Bss."""
        self.file_end = max(self.file_end, segment.vaddr + segment.filesz)
        if segment.vaddr + segment.memsz > self.memory_end:
            self.memory_end = segment.vaddr + segment.memsz
            self.execute = Access.EXECUTE in segment.access

    def map_before_next(self, task: Task, bias: int) -> None:
        """See Bss. Here the kernel does not mind if the tail cannot be cleared."""
        if self.memory_end <= self.file_end:
            return
        self._set_brk(task, bias)
        start = _at(self.file_end, bias)
        if start % PAGE_SIZE:
            try:
                clear_user(task, start, min(PAGE_SIZE - start % PAGE_SIZE, self.memory_end - self.file_end))
            except KernelError:
                return

    def map_behind_program(self, task: Task, bias: int) -> None:
        """See Bss. Source: load_elf_binary() of Linux 6.1."""
        self._set_brk(task, bias)
        if self.file_end != self.memory_end:
            padzero(task, _at(self.file_end, bias), must_succeed=True)

    def map_behind_interpreter(self, task: Task, bias: int) -> None:
        """See Bss; the last page is cleared in any case. Source: load_elf_interp() of Linux 6.1."""
        padzero(task, _at(self.file_end, bias), must_succeed=True)
        self._set_brk(task, bias)

    def _set_brk(self, task: Task, bias: int) -> None:
        start, end = page_up(_at(self.file_end, bias)), page_up(_at(self.memory_end, bias))
        if end > start:
            task.mm.brk_flags(start, end - start, execute=self.execute)


def _at(address: int, bias: int) -> VirtAddr:
    """Return `address` moved by `bias`, which may be "negative" in the kernel's unsigned long."""
    return VirtAddr((address + bias) % (1 << 64))


def padzero(task: Task, start: VirtAddr, *, must_succeed: bool) -> None:
    """Clear from `start` to the end of its page (rule `elf.padzero`).

    Raises KernelError(EFAULT) where that fails and the kernel minds.
    """
    if start % PAGE_SIZE == 0:
        return
    try:
        clear_user(task, start, page_up(start) - start)
    except KernelError as error:
        if must_succeed:
            raise KernelError(Errno.EFAULT, error.rule or "elf.padzero") from None
