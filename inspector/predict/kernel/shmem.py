"""Files that live in memory alone (mm/shmem.c): what memfd_create makes, and shared anonymous memory.

    memfd_create            /memfd:NAME (deleted)     of size 0 until ftruncate or a write
    MAP_SHARED, no file     /dev/zero (deleted)       as large as the mapping

A new file has no page. One comes into being when it is first touched through a mapping, be it read or
written, or written to by write(); until then fault-around does not find it. Its frame stays as long as the
file does, however often it is mapped and unmapped. Nobody wants to know when a shared page is first written
(there is no disk for it to go to), so a page that was read may be written from then on without another fault.

Processes share these pages, and the scheduler may decide who comes first. The hardware's accessed and dirty
bits tell which pages each has used: `harvest` collects them whenever the kernel is entered, and holds them
against what the others did (order.py).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, AddressRange, VirtAddr
from inspector.model.vma import SHMEM_DEVICE
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.order import Turns
from inspector.predict.kernel.vma import MappedFile

if TYPE_CHECKING:
    from inspector.model.address import Pfn
    from inspector.predict.kernel.files import FileStat
    from inspector.predict.kernel.iov_iter import IovIter
    from inspector.predict.kernel.kernel import Kernel
    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.task import Task

_O_LARGEFILE = 0o100000
_LARGEST_SIZE = (1 << 63) - 1
_RLIMIT_FSIZE = 1


class _Nothing:
    """The bytes of a page that was never touched."""

    def read(self, _offset: int, _size: int) -> bytes:
        """Return none: the page is zero."""
        return b""


@dataclass(eq=False, slots=True, kw_only=True)
class ShmemFile(MappedFile):
    """A file in memory: its size changes, and it has a page only where one was made."""

    kernel: Kernel
    frames: dict[int, Pfn] = field(default_factory=dict)
    size_turns: Turns = field(default_factory=lambda: Turns("the size of memory that processes share"))
    presence_turns: dict[int, Turns] = field(default_factory=dict)
    contents_turns: dict[int, Turns] = field(default_factory=dict)

    def find(self, index: int) -> Pfn | None:
        """Return the frame of page `index` if it is there; what is beyond the end never is."""
        task = self._one_of_several()
        if task is not None:
            self.size_turns.look(task)
            self._presence_of(index).look(task)
        return self.frames.get(index)

    def get(self, index: int) -> Pfn:
        """Return the frame of page `index`, a new one of zeros if need be."""
        found = self.find(index)
        if found is None:
            task = self._one_of_several()
            if task is not None:
                self._presence_of(index).change(task)
            found = self.frames[index] = self.kernel.memory.allocate()
        return found

    def cut(self, first: int) -> None:
        """Drop the pages from `first` on, which nothing maps. Source: mm/shmem.c:shmem_undo_range()."""
        for index in [index for index in self.frames if index >= first]:
            self.kernel.memory.release(self.frames.pop(index))

    def copied(self, index: int) -> None:
        """Note that the kernel has read page `index` for the process that runs."""
        task = self._one_of_several()
        if task is not None:
            self.used(task, index, written=False)

    def used(self, task: Task, index: int, *, written: bool) -> None:
        """Note that `task` has used the contents of page `index`."""
        turns = self.contents_turns.setdefault(index, Turns("what processes find in memory they share"))
        (turns.change if written else turns.look)(task)

    def _presence_of(self, index: int) -> Turns:
        turns = Turns("which of several processes comes first to a page they share")
        return self.presence_turns.setdefault(index, turns)

    def _one_of_several(self) -> Task | None:
        """Return the task that runs, if others may at the same time."""
        return self.kernel.current if len(self.kernel.tasks) > 1 else None


def shmem_file_setup(kernel: Kernel, name: str, size: int) -> ShmemFile:
    """Return a new file of `size` bytes; /proc/PID/maps calls it `name`.

    Rule `vma.shared-inode`: its inode number is the kernel's choice of the moment.
    Source: mm/shmem.c:__shmem_file_setup().
    """
    kernel.shmem_files += 1
    kernel.assume("huge pages of shared memory", "never: /sys/kernel/mm/transparent_hugepage/shmem_enabled")
    return ShmemFile(
        path=f"/{name} (deleted)",
        device=SHMEM_DEVICE,
        inode=kernel.shmem_files,
        size=size,
        contents=_Nothing(),
        writable=True,
        kernel=kernel,
    )


@dataclass(slots=True, eq=False)
class MemFd:
    """A file that memfd_create opened."""

    kernel: Kernel
    mapped: ShmemFile
    flags: int = os.O_RDWR | _O_LARGEFILE
    position: int = 0
    turns: Turns = field(default_factory=lambda: Turns("which of several processes uses a file first"))
    """With the position, and of what read and write find."""
    is_terminal = False

    @property
    def stat(self) -> FileStat:
        """Refuse: its inode and its times are not to be known."""
        raise NotModelled("fstat of a file made by memfd_create")

    @property
    def size(self) -> int:
        """Bytes (i_size)."""
        return self.mapped.size

    def read(self, to: IovIter) -> int:
        """Source: mm/shmem.c:shmem_file_read_iter()."""
        done = self.read_at(to, self.position)
        self.position += done
        return done

    def read_at(self, to: IovIter, position: int) -> int:
        """Read page by page; a page that is not there reads as zeros, and is not made."""
        self._use(to.task)
        done = 0
        while (count := min(to.count, self.size - position - done)) > 0:
            index, offset = divmod(position + done, PAGE_SIZE)
            size = min(count, PAGE_SIZE - offset)
            frame = self.mapped.find(index)
            data = bytes(size) if frame is None else self.kernel.memory.read(frame, offset, size)
            copied = to.copy_page_to(data)
            done += copied
            if copied < size:
                break
        if not done and to.count and position < self.size:
            raise KernelError(Errno.EFAULT)
        return done

    def write(self, source: IovIter) -> int:
        """Source: mm/shmem.c:shmem_file_write_iter()."""
        at = self._start(self.position)
        done = self.write_at(source, at)
        self.position = at + done
        return done

    def write_at(self, source: IovIter, position: int) -> int:
        """Write page by page, and make the file longer where it is too short.

        Raises NotModelled where the bytes lie in a page that is not there yet: kernels differ in whether
        they touch it before they look for room. Source: mm/filemap.c:generic_perform_write().
        """
        self._use(source.task)
        position = self._start(position)
        _check_size(source.task, position + source.count)
        done = 0
        while source.count:
            index, offset = divmod(position + done, PAGE_SIZE)
            size = min(source.count, PAGE_SIZE - offset)
            if not source.is_resident(size):
                raise NotModelled("writing to a memfd from memory that was not touched before")
            data = source.copy_from(size)
            if position + done > self.size:
                self._refuse_dirty_tail()
            frame = self.mapped.get(index)
            self.kernel.memory.write(frame, offset, data)
            done += len(data)
            self.mapped.size = max(self.mapped.size, position + done)
        return done

    def truncate(self, task: Task, size: int) -> None:
        """Make the file `size` bytes long; what is mapped beyond goes. Source: mm/shmem.c:shmem_setattr()."""
        self._use(task)
        if size > self.size:
            _check_size(task, size)
            self._refuse_dirty_tail()
        old, self.mapped.size = self.size, size
        if size > old:
            return
        first, tail = -(-size // PAGE_SIZE), size % PAGE_SIZE
        for each in self.kernel.tasks:
            if each.ending is None:
                harvest(each)
                _unmap_mapping_range(each.mm, self.mapped, first)
        self.mapped.cut(first)
        frame = self.mapped.find(first - 1) if tail else None
        if frame is not None:
            self.kernel.memory.write(frame, tail, bytes(PAGE_SIZE - tail))

    def _start(self, position: int) -> int:
        """Return where a write goes, even one to a place. Source: fs/read_write.c:generic_write_checks()."""
        return self.size if self.flags & os.O_APPEND else position

    def _use(self, task: Task) -> None:
        """Note a use of the file through its descriptor: of everything that is in it."""
        self.turns.change(task)
        if len(task.kernel.tasks) > 1:
            self.mapped.size_turns.change(task)
            for index in self.mapped.frames:
                self.mapped.used(task, index, written=True)

    def _refuse_dirty_tail(self) -> None:
        """Refuse to grow over what a mapping wrote behind the end: newer kernels clear it, older do not."""
        index, offset = divmod(self.size, PAGE_SIZE)
        frame = self.mapped.find(index) if offset else None
        if frame is not None and any(self.kernel.memory.read(frame, offset, PAGE_SIZE - offset)):
            raise NotModelled("bytes that a mapping wrote behind the end of a file which then grows")


def _check_size(task: Task, size: int) -> None:
    """Refuse a size that a limit may forbid. Source: fs/attr.c:inode_newsize_ok(), generic_write_checks()."""
    limits = task.limits.of(_RLIMIT_FSIZE)
    if limits is None:
        task.kernel.assume("limit of file sizes", "none")
    if size > (_LARGEST_SIZE if limits is None else limits[0]):
        raise NotModelled("a file that grows beyond the limit of file sizes")


def _unmap_mapping_range(mm: AddressSpace, file: ShmemFile, first: int) -> None:
    """Unmap the pages of `file` from its page `first` on, private copies as well.

    Source: mm/memory.c:unmap_mapping_range().
    """
    for area in mm.areas:
        if area.origin is file:
            start = max(area.start, area.start + (first - area.page_offset << PAGE_SHIFT))
            if start < area.end:
                mm.zap(AddressRange(VirtAddr(start), area.end))


def harvest(task: Task) -> None:
    """Note which shared pages `task` has used since the last time. Raises NotModelled.

    With one process there is nothing to be told apart, and what was used before a fork comes before all that
    the child does.
    """
    alone = len(task.kernel.tasks) == 1
    mm = task.mm
    for area in mm.areas:
        file = area.origin
        if not isinstance(file, ShmemFile):
            continue
        for vpn, entry in mm.page_tables.entries(area.range):
            if not entry.accessed:
                continue
            index = area.page_offset + vpn - (area.start >> PAGE_SHIFT)
            if not alone:
                file.used(task, index, written=entry.dirty)
            entry.accessed = entry.dirty = False
            mm.tlb_is_stale = True
