"""What the kernel keeps once, for all processes: memory, the page cache, the sequence of faults."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Self

from inspector.elf.file import ExecutableFile
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE
from inspector.model.fault_log import FaultLog
from inspector.predict.kernel.files import Terminal
from inspector.predict.kernel.host_files import HostFiles
from inspector.predict.kernel.pagecache import PageCache
from inspector.predict.kernel.vma import MappedFile
from inspector.predict.machine.memory import PhysicalMemory

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from inspector.elf.symbol_index import SymbolIndex
    from inspector.model.address import Pfn, VirtAddr, Vpn
    from inspector.model.folio import FolioLayout
    from inspector.model.profile import MachineProfile
    from inspector.predict.kernel.areas import Areas
    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.pipe import Pipe
    from inspector.predict.kernel.task import Task
    from inspector.predict.machine.cpu import Cpu, State
    from inspector.predict.machine.pagetable import PageTableEntry
    from inspector.predict.machine.references import PageReferences
    from inspector.predict.machine.rerun import Special


_FIRST_PID = 1000
_RANDOM = b"inspector-random"
_INT_80 = b"\xcd\x80"


class Kernel:
    """A running kernel on the machine of `profile`, with no process yet.

    A context manager: leaving it closes the host's files that simulated ones read from.
    """

    def __init__(
        self,
        profile: MachineProfile,
        *,
        chance: int = 0,
        folios: FolioLayout | None = None,
        first_of: Mapping[Special, int] | None = None,
        shared_descriptors: Collection[int] = (),
        references: PageReferences | None = None,
    ) -> None:
        """Boot. `chance`, a byte, decides what is random; two kernels that differ in it show what does.

        `folios` tells how files lie in the page cache; without it, none has large folios. For
        `first_of` see `Cpu`, for `shared_descriptors` `predict`. `references` is told which pages the first
        process refers to.
        """
        self.profile = profile
        self.shared_descriptors = shared_descriptors
        self._first_of = first_of
        self.references = references
        self.chance = chance
        self.memory = PhysicalMemory()
        self.page_cache = PageCache(self.memory, folios, self.assume, lambda: not self.tasks[1:])
        self.faults = FaultLog()
        """Of every process, in the order they are taken."""
        self.loaded_files: list[ExecutableFile] = []
        """What the first process starts with: what execve opened, in that order, and its standard input."""
        self.host_files = HostFiles()
        self.assumptions: dict[str, str] = {}
        self.terminal = Terminal()
        self.pipes: list[Pipe] = []
        self.shmem_files = 0
        """How many files have been made in memory; the last one's inode number."""
        self.tasks: list[Task] = []
        """In order of creation."""
        self.current: Task | None = None
        """The task that runs on the processor."""
        self.own_file: str | None = None
        """The path of a file that no other process has to do with, as a program staged for one run is."""
        self.at_rest = False
        """Whether no task but the current one can go on."""
        self.special_pages = dict(self._special_pages())
        self._symbols: dict[tuple[tuple[int, int], int], SymbolIndex] = {}
        """By device and inode of a file."""
        self._instructions: dict[tuple[tuple[int, int], int, int], str | None] = {}
        """Names by file and offset in it, so that each is one string however often it is wanted."""
        self._last_names: dict[VirtAddr, tuple[Areas, int, str | None]] = {}
        """What each address was called last, and the areas it lay in, at that time."""

    @functools.cached_property
    def cpu(self) -> Cpu:
        """The processor; it sees memory through the page tables of the current task."""
        from inspector.predict.machine.cpu import Cpu
        from inspector.predict.machine.cpuid import Cpuid

        processor = self.profile.processor
        return Cpu(
            self.memory,
            self._translate,
            Cpuid(processor),
            processor.xcr0,
            self._read_tsc,
            self._first_of,
            self.references,
        )

    @functools.cached_property
    def fresh_context(self) -> State:
        """A processor whose coprocessor no program has used; to be asked for before one does."""
        return self.cpu.save()

    def _read_tsc(self) -> int:
        """Return the time-stamp counter, which stands still at the moment the profile was made."""
        self.assume("time", "stands still at the moment the machine was probed")
        return self.profile.tsc

    def _translate(self, vpn: Vpn) -> PageTableEntry | None:
        return self.current.mm.page_tables.lookup(vpn) if self.current is not None else None

    @functools.cached_property
    def landing_pad(self) -> int:
        """Where in the vdso a fast system call returns to: behind its int 0x80.

        Source: arch/x86/entry/vdso/vdso32/system_call.S:int80_landing_pad.
        """
        return self.profile.vdso.index(_INT_80, self.profile.vdso_sysenter_offset) + len(_INT_80)

    def random_bytes(self, size: int) -> bytes:
        """Return `size` bytes of what a program takes for random: no one can know, so they are assumed."""
        pattern = bytes(byte ^ self.chance for byte in _RANDOM)
        return (pattern * (size // len(pattern) + 1))[:size]

    @property
    def first_pid(self) -> int:
        """What the first process is told to be its number; no one can know."""
        return _FIRST_PID + self.chance

    def tell_pid(self, pid: int) -> int:
        """Return a process's number, of which the program has asked to be told."""
        self.assume("process numbers", f"from {_FIRST_PID} on, in order of creation")
        return pid

    def name_instruction(self, mm: AddressSpace, ip: VirtAddr) -> str | None:
        """Return the function that the instruction at `ip` lies in, `main+0x12`; None if no file tells.

        No kernel does this: it is for the reader of the faults.
        """
        areas = mm.areas
        last = self._last_names.get(ip)
        if last is not None and last[0] is areas and last[1] == areas.changes:
            return last[2]
        name = self._name_instruction(mm, ip)
        self._last_names[ip] = areas, areas.changes, name
        return name

    def _name_instruction(self, mm: AddressSpace, ip: VirtAddr) -> str | None:
        area = mm.find(ip)
        file = None if area is None else area.origin
        if area is None or not isinstance(file, MappedFile) or not isinstance(file.contents, ExecutableFile):
            return None
        place = file.device, file.inode, (area.page_offset << PAGE_SHIFT) + ip - area.start
        if place not in self._instructions:
            symbols = self._symbols.get(place[:2])
            if symbols is None:
                from inspector.elf.symbol_index import SymbolIndex

                symbols = self._symbols[place[:2]] = SymbolIndex(file.contents)
            self._instructions[place] = symbols.place_in_file(place[2])
        return self._instructions[place]

    def assume(self, name: str, value: str) -> None:
        """Write down something that the program was told and no one can know."""
        self.assumptions.setdefault(name, value)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self.loaded_files:
            file.close()
        self.host_files.close()

    def _special_pages(self) -> Iterator[tuple[str, list[Pfn | None]]]:
        """Yield the frames of the kernel's own areas; None where it has nothing to show there.

        The clock data of vvar is as old as the profile: a simulated clock stands still.
        """
        first = 0
        for area in self.profile.special_areas:
            if area.name == "[vdso]":
                yield area.name, list(self._frames(self.profile.vdso, area.pages))
                continue
            frames = self._frames(self.profile.vvar[first * PAGE_SIZE :], area.pages)
            yield (
                area.name,
                [
                    frame if first + number in self.profile.vvar_pages else None
                    for number, frame in enumerate(frames)
                ],
            )
            first += area.pages

    def _frames(self, contents: bytes, pages: int) -> list[Pfn]:
        frames = [self.memory.allocate() for _ in range(pages)]
        for number, frame in enumerate(frames):
            self.memory.write(frame, 0, contents[number * PAGE_SIZE : (number + 1) * PAGE_SIZE])
        return frames
