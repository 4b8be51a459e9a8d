"""The new address space, area by area, in the kernel's order: stack, segments, interpreter, vdso, heap."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from inspector.elf.header import ET_DYN
from inspector.language import tr
from inspector.model.address import PAGE_SIZE, page_down, page_up, vpn_of
from inspector.model.auxv import AuxType
from inspector.model.program import Layout
from inspector.model.vma import FileBacking, Special
from inspector.story import Note, Step, Told, Value
from inspector.story.execve import has_interpreter
from inspector.story.words import area_values, auxiliary, counted, exec_value, joined, pages_of_strings
from inspector.view.tables import level_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.elf.header import ProgramHeader
    from inspector.layout.views import ElfImage
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma
    from inspector.story.evidence import Evidence

_TWO_LEVELS = 2
_TEXTS_STACK_END = 0xC0000000


def address_space_step(evidence: Evidence) -> Step:
    """Return the making of an empty address space."""
    geometry = evidence.prediction.profile.page_tables
    names = level_names(geometry)
    levels = len(geometry.index_bits)
    notes = []
    if levels != _TWO_LEVELS:
        here = tr("{count} levels ({names}), for 32-bit programs too").format(
            count=levels, names=", ".join(names)
        )
        notes.append(Note("a page directory and page tables: two levels", here, "fault.page-tables"))
    end = _stack_end(evidence.at_exec)
    if end is not None and end != _TEXTS_STACK_END:
        here = (
            tr("up to {end:#x} (--layout 3gb gives 0xc0000000)")
            if evidence.prediction.program.layout is Layout.DEFAULT
            else tr("up to {end:#x}")
        ).format(end=end)
        notes.append(Note("a program has 3 GB, up to 0xc0000000", here, "layout.task-size"))
    return Step(
        "A new address space: a page directory",
        tr(
            "begin_new_exec() is the point of no return: the old address space is given up. To make a new "
            "one is to allocate its top table (here the {table}), and nothing else: no page is mapped before "
            "it is touched."
        ).format(table=names[0]),
        ("fault.page-tables",),
        (
            Told(
                "an address",
                " + ".join(f"{name} {bits}" for name, bits in zip(names, geometry.index_bits, strict=True))
                + tr(" + offset 12 bits"),
            ),
            Told(
                "the top table",
                tr("{count} entries of {size} bytes, all empty").format(
                    count=1 << geometry.index_bits[0], size=geometry.entry_bytes
                ),
            ),
        ),
        (exec_value(evidence, "user space ends", _stack_end, "{:#x}"),) if evidence.at_exec else (),
        tuple(notes),
    )


def _stack_end(snapshot: Snapshot | None) -> int | None:
    """Return where the stack's area ends, the highest there is."""
    stack = _named(snapshot, "[stack]")
    return stack[0].end if stack else None


def _named(snapshot: Snapshot | None, name: str) -> list[Vma]:
    return [vma for vma in (snapshot.vmas if snapshot else None) or () if vma.name == name]


def stack_step(evidence: Evidence) -> Step:
    """Return the making of the stack's area."""
    areas = _named(evidence.at_exec, "[stack]")
    told = []
    strings = None if evidence.at_exec is None else pages_of_strings(evidence.at_exec)
    if areas and strings is not None:
        pages = areas[0].range.size_bytes // PAGE_SIZE
        told.append(
            Told(
                "size",
                tr("{pages}: {strings} for the strings, {room} below to grow into at once").format(
                    pages=counted(pages, "page"), strings=strings, room=pages - strings
                ),
            )
        )
    return Step(
        "The stack's area",
        "setup_arg_pages() puts the pages with the strings at the end of user space, and makes an area there "
        "that may grow downwards.",
        ("vma.stack", "fault.argument-pages"),
        tuple(told),
        tuple(chain.from_iterable(area_values(evidence, vma) for vma in areas)),
    )


def bias_step(evidence: Evidence, image: ElfImage, bias: int) -> Step | None:
    """Return where a position-independent file goes; None for one that says so itself."""
    if image.header.type != ET_DYN:
        return None
    rule = "layout.et-dyn" if has_interpreter(image) else "layout.static-pie"
    entry = image.header.entry
    values = (exec_value(evidence, "load bias", lambda each: _bias(each, entry), "{:#x}"),)
    return Step(
        "Where a position-independent program goes",
        "Its addresses count from 0, and the kernel chooses where that is: what it adds to each of them is "
        "the load bias.",
        (rule,),
        (
            Told(
                "and so", tr("e_entry {entry:#x} becomes {moved:#x}").format(entry=entry, moved=entry + bias)
            ),
        ),
        values,
    )


def _bias(snapshot: Snapshot, entry: int) -> int | None:
    at = auxiliary(AuxType.AT_ENTRY)(snapshot)
    return None if at is None else at - entry


def segment_step(evidence: Evidence, image: ElfImage, number: int, bias: int) -> Step:
    """Return the mapping of one PT_LOAD: the file's pages, the cleared tail, the zeros behind."""
    segment = image.segments[number]
    start, end = page_down(segment.vaddr + bias), page_up(segment.vaddr + segment.memsz + bias)
    areas = [
        vma
        for vma in (evidence.at_exec.vmas if evidence.at_exec else None) or ()
        if vma.start < end and start < vma.end
    ]
    rules = ["vma.segment-file"]
    if segment.memsz > segment.filesz:
        rules += ["elf.padzero", "vma.segment-bss"]
    merged = any(vma.start < start or vma.end > end for vma in areas)
    if merged:
        rules.append("vma.merge")
    sections = " ".join(section.name for section in image.members[number] if section.name)
    return Step(
        tr("Program header {number:02}: LOAD {access}").format(number=number, access=str(segment.access)),
        joined(
            tr("elf_load() maps whole pages, so addresses and file offsets are rounded to them."),
            tr("The area is one with its neighbour, whose permissions and backing go on.") if merged else "",
        ),
        tuple(rules),
        (*_arithmetic(segment, bias), Told("sections", sections or tr("none; the file's headers alone"))),
        (
            *chain.from_iterable(area_values(evidence, vma) for vma in areas),
            *_cleared_page(evidence, segment, bias),
        ),
    )


def _cleared_page(evidence: Evidence, segment: ProgramHeader, bias: int) -> Iterator[Value]:
    """Yield what the page is whose tail the kernel cleared: a copy, for the write was a page fault."""
    zeros = segment.vaddr + bias + segment.filesz
    if (
        evidence.at_exec is None
        or segment.memsz <= segment.filesz
        or not zeros % PAGE_SIZE
        or not segment.filesz
    ):
        return
    yield exec_value(evidence, tr("page {:#x}").format(page_down(zeros)), lambda each: _state(each, zeros))


def _state(snapshot: Snapshot, address: int) -> str | None:
    if snapshot.pages is None:
        return None
    page = next((each for each in snapshot.pages if each.vpn == vpn_of(address)), None)
    return tr("absent") if page is None else page.kind and tr(page.kind.value)


def _arithmetic(segment: ProgramHeader, bias: int) -> Iterator[Told]:
    added = f" + {bias:#x}" if bias else ""
    start, in_page = segment.vaddr + bias, segment.vaddr % PAGE_SIZE
    yield Told(
        "from",
        tr("p_vaddr {sum}, rounded down: {start:#x}").format(
            sum=f"{segment.vaddr:#x}{added}", start=page_down(start)
        ),
    )
    if segment.filesz:
        file_end = page_up(start + segment.filesz)
        yield Told(
            "file pages",
            tr("to {start:#x} + p_filesz {filesz:#x}, rounded up: {end:#x}, {pages}").format(
                start=start,
                filesz=segment.filesz,
                end=file_end,
                pages=counted((file_end - page_down(start)) // PAGE_SIZE, "page"),
            ),
        )
        yield Told(
            "file offset", f"p_offset {segment.offset:#x} - {in_page:#x} = {segment.offset - in_page:#x}"
        )
    if segment.memsz > segment.filesz:
        zeros = start + segment.filesz
        if zeros % PAGE_SIZE and segment.filesz:
            yield Told(
                "cleared",
                tr("{start:#x}-{end:#x}, the rest of the last file page: a write, so a page fault").format(
                    start=zeros, end=page_up(zeros)
                ),
            )
        rest, end = page_up(zeros), page_up(start + segment.memsz)
        if end > rest:
            yield Told(
                "zeros behind",
                tr("{start:#x}-{end:#x}, anonymous, {pages}").format(
                    start=rest, end=end, pages=counted((end - rest) // PAGE_SIZE, "page")
                ),
            )


def interpreter_step(evidence: Evidence, image: ElfImage) -> Step | None:
    """Return the mapping of the dynamic loader; None without one."""
    if not has_interpreter(image) or len(evidence.prediction.files) < _TWO_FILES:
        return None
    path = evidence.prediction.files[-1].path
    areas = [
        vma
        for vma in (evidence.at_exec.vmas if evidence.at_exec else None) or ()
        if isinstance(vma.backing, FileBacking) and vma.backing.path == path
    ]
    return Step(
        "The dynamic loader",
        tr(
            "PT_INTERP names {path}, which is mapped like a library. It will run first, and map the "
            "libraries that the program needs."
        ).format(path=path),
        ("layout.mmap-base",),
        (),
        (
            exec_value(evidence, "AT_BASE", auxiliary(AuxType.AT_BASE), "{:#x}"),
            *chain.from_iterable(area_values(evidence, vma) for vma in areas),
        ),
    )


def vdso_step(evidence: Evidence) -> Step:
    """Return the mapping of the kernel's own areas."""
    areas = [
        vma
        for vma in (evidence.at_exec.vmas if evidence.at_exec else None) or ()
        if isinstance(vma.backing, Special)
    ]
    return Step(
        "The kernel's own pages: vdso and vvar",
        "The kernel maps a small library of its own, with the way into the kernel and the time of day, and "
        "the data that it reads.",
        ("vma.vdso",),
        (),
        tuple(chain.from_iterable(area_values(evidence, vma, vma.name) for vma in areas)),
        (Note("the vdso lies below 0x08048000", _where_vdso(areas), "vma.vdso"),) if areas else (),
    )


def _where_vdso(areas: Sequence[Vma]) -> str:
    return tr("at {address:#x}, in the mmap area below the stack").format(address=areas[-1].start)


def heap_step(evidence: Evidence) -> Step:
    """Return where the heap will be."""
    return Step(
        "The heap",
        "It starts behind the program's last page, unless the kernel moves it, and is empty: there is no "
        "area before the program calls brk.",
        ("layout.brk",),
        (),
        (exec_value(evidence, "heap starts at", lambda each: each.brk, "{:#x}"),) if evidence.at_exec else (),
    )


_TWO_FILES = 2
