"""An explanation in words: a step for each view, as the story tells its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.explain.nothing import nothing_step, touch_nothing_step
from inspector.explain.words import (
    ABSENT,
    ACCESSES,
    MOST_FAULTS,
    answered,
    area_name,
    area_values,
    fault_words,
)
from inspector.language import N_, tr, tr_error
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, vpn_of
from inspector.model.vma import Access, FileBacking, Sharing
from inspector.reconcile.faults import RULES_OF_KINDS
from inspector.rules import find_rule
from inspector.story import Step, Told, Value
from inspector.story.words import area_words, counted
from inspector.view.areas import AreaKind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.explain import Explanation, FilePlace
    from inspector.model.page import PageState
    from inspector.model.vma import Vma

_UNKNOWN = N_("unknown")


def tell(found: Explanation) -> tuple[Step, ...]:
    """Return the steps: file, area, page, page tables, and who may touch it; or why nothing is there."""
    steps = [_address_step(found)]
    if found.place is not None:
        steps.append(_file_step(found.place, found.address - found.place.address))
    if found.area is None:
        steps += [nothing_step(found), touch_nothing_step(found)]
    else:
        steps += [_area_step(found, found.area), _page_step(found, found.area)]
    steps.append(_tables_step(found))
    if found.area is not None:
        steps.append(_access_step(found, found.area))
    return tuple(steps)


def title_of(found: Explanation) -> str:
    """Return what the address is, in a few words: `0x80ed2b8: counter, in .data`."""
    place = found.place
    if place is not None and place.symbol is not None:
        symbol = place.symbol.place(place.address)
        if place.section is None or not place.section.name:
            return f"{found.address:#x}{tr(': ')}{symbol}"
        return tr("{address:#x}: {symbol}, in {section}").format(
            address=found.address, symbol=symbol, section=place.section.name
        )
    if place is not None and place.section is not None and place.section.name:
        return tr("{address:#x}: in {where}").format(address=found.address, where=place.section.name)
    if found.area is None:
        return tr("{address:#x}: in no area").format(address=found.address)
    return tr("{address:#x}: in {where}").format(address=found.address, where=area_name(found.area))


def _address_step(found: Explanation) -> Step:
    page, offset = vpn_of(found.address), found.address % PAGE_SIZE
    return Step(
        "The address",
        "A virtual address is a page's number, and a place in the page.",
        told=(
            Told("page", f"{found.address:#x} >> {PAGE_SHIFT} = {page:#x}"),
            Told("in the page", tr("byte {offset:#x} of {size}").format(offset=offset, size=PAGE_SIZE)),
        ),
    )


def _file_step(place: FilePlace, bias: int) -> Step:
    """`bias`: what was added to the address that the file has."""
    told = [Told("file", place.path)]
    if bias and place.segment is not None:
        told.append(
            Told(
                "load bias",
                tr("{address:#x} - {bias:#x} = {linked:#x}, as linked").format(
                    address=place.address + bias, bias=bias, linked=place.address
                ),
            )
        )
    if place.symbol is not None:
        told.append(Told("symbol", _symbol_words(place)))
    if place.section is not None:
        header = place.section.header
        told.append(
            Told(
                "section",
                tr("{name}, {start:#x}-{end:#x}, byte {offset:#x}").format(
                    name=place.section.name or place.section.number,
                    start=header.addr,
                    end=place.section.end,
                    offset=place.address - header.addr,
                ),
            )
        )
    elif place.segment is not None:
        told.append(Told("section", tr("none: headers, or what fills the page")))
    if place.segment is not None:
        number, segment = place.segment
        told.append(
            Told(
                "segment",
                f"{number:02} LOAD {segment.access}, p_vaddr {segment.vaddr:#x}, p_filesz "
                f"{segment.filesz:#x}, p_memsz {segment.memsz:#x}",
            )
        )
    told.append(Told("in the file", _file_offset_words(place)))
    text = tr("Sections and symbols are the linker's. The kernel maps segments, and knows nothing else.")
    return Step("In the file", text, (), tuple(told))


def _symbol_words(place: FilePlace) -> str:
    symbol = place.symbol
    assert symbol is not None  # noqa: S101 - the caller has looked
    if not symbol.size:
        return symbol.place(place.address)
    return tr("{symbol}, {bytes} at {address:#x}").format(
        symbol=symbol.place(place.address), bytes=counted(symbol.size, "byte"), address=symbol.address
    )


def _file_offset_words(place: FilePlace) -> str:
    if place.offset is None:
        return tr("no byte: p_filesz ends before, and what is behind begins as zeros")
    if place.segment is None:
        return tr("byte {offset:#x}").format(offset=place.offset)
    segment = place.segment[1]
    said = N_("{address:#x} - {vaddr:#x} + p_offset {start:#x} = byte {byte:#x}")
    if place.address >= segment.vaddr + segment.filesz:
        said = (
            N_(
                "{address:#x} - {vaddr:#x} + p_offset {start:#x} = byte {byte:#x}, behind p_filesz: cleared, "
                "for it is .bss"
            )
            if segment.memsz > segment.filesz
            else N_(
                "{address:#x} - {vaddr:#x} + p_offset {start:#x} = byte {byte:#x}, behind p_filesz: what "
                "follows in the file"
            )
        )
    elif place.offset < segment.offset:
        said = N_(
            "{address:#x} - {vaddr:#x} + p_offset {start:#x} = byte {byte:#x}, before p_offset: there only "
            "because pages are mapped whole"
        )
    return tr(said).format(
        address=place.address, vaddr=segment.vaddr, start=segment.offset, byte=place.offset
    )


def _area_step(found: Explanation, area: Vma) -> Step:
    first = find_rule(found.rules[0])
    told = [Told("because", f"{first.id}{tr(': ')}{tr(first.statement)}")]
    offset = found.address - area.start
    if isinstance(area.backing, FileBacking):
        byte = offset + area.offset
        told += [
            Told(
                "backing",
                tr("{name}, from byte {offset:#x} on").format(name=area.name, offset=area.offset),
            ),
            Told(
                "in the file",
                tr("{address:#x} - {start:#x} + {offset:#x} = byte {byte:#x}, page {page}").format(
                    address=found.address,
                    start=area.start,
                    offset=area.offset,
                    byte=byte,
                    page=byte >> PAGE_SHIFT,
                ),
            ),
        ]
    else:
        told.append(Told("backing", _backing_words(area)))
    shared = area.sharing is Sharing.SHARED
    what = (
        tr("shared: what is written is seen by all who map it")
        if shared
        else tr("private: what is written is the process's own")
    )
    told.append(Told("sharing", what))
    return Step(
        "In the address space",
        tr("Its area at {stop}: {name}, {area}.").format(
            stop=found.area_stop, name=area_name(area), area=area_words(area)
        ),
        found.rules,
        tuple(told),
        tuple(area_values(found)),
    )


def _backing_words(area: Vma) -> str:
    if kind_of(area) is AreaKind.VDSO:
        return tr("pages of the kernel's")
    return tr("none: pages begin as zeros")


def _page_step(found: Explanation, area: Vma) -> Step:
    told = list(_history(found))
    told += _frames(found)
    fault = found.mapped_by.fault if found.mapped_by is not None else None
    rules = [RULES_OF_KINDS[fault.kind]] if fault is not None and fault.kind is not None else []
    if _is_vvar(area):
        rules.append("observe.vvar-hidden")
    return Step(
        "The page",
        "A page is given when it is touched, not when it is mapped; then a frame of memory is behind it.",
        tuple(rules),
        tuple(told),
        tuple(_page_values(found)),
    )


def _history(found: Explanation) -> Iterator[Told]:
    """Yield when the page became resident, and what befell it later."""
    cause, own = found.mapped_by, found.faults
    resident = any(stop.predicted_page is not None for stop in found.stops)
    if cause is not None and all(each.number != cause.number for each in own):
        yield Told(
            "made resident",
            tr("with another page, by {fault}: fault-around").format(fault=fault_words(cause)),
        )
    elif cause is None and resident and not own:
        yield Told("made resident", tr("without a fault: the kernel wrote it itself (fault.argument-pages)"))
    elif cause is None and not own:
        yield Told("made resident", tr("never: nothing touches it, or its surroundings"))
    for each in own[:MOST_FAULTS]:
        label = N_("made resident") if cause is not None and each.number == cause.number else N_("then")
        yield Told(label, answered(each))
    if len(own) > MOST_FAULTS:
        yield Told("then", tr("{count} more faults on it").format(count=len(own) - MOST_FAULTS))


def _frames(found: Explanation) -> Iterator[Told]:
    """Yield the frame at the last stop at which it was seen."""
    for stop in reversed(found.stops):
        page = stop.observed_page
        if page is not None:
            frame = (
                tr("not told without privileges (observe.pfn-hidden)")
                if page.pfn is None
                else tr("{frame:#x}, as observed at {stop}").format(frame=page.pfn, stop=stop.checkpoint)
            )
            yield Told("frame", frame)
            return
    if found.unobserved is not None:
        yield Told("frame", tr("not observed: {reason}").format(reason=tr_error(found.unobserved)))


def _page_values(found: Explanation) -> Iterator[Value]:
    for stop in found.stops:
        mine, other = _state(stop.predicted_page), _state(stop.observed_page)
        unseen = not stop.pages_observed or (other == _UNKNOWN and mine in ("zero", "anonymous"))
        label = tr("page at {stop}").format(stop=stop.checkpoint)
        yield Value(label, tr(mine), None if unseen else tr(other), found.page_rule)


def _state(page: PageState | None) -> str:
    if page is None:
        return ABSENT
    return _UNKNOWN if page.kind is None else page.kind.value


def _tables_step(found: Explanation) -> Step:
    told = [Told("way", " > ".join(map(str, found.way)))]
    bits = " + ".join(f"{step.level} {step.bits}" for step in found.way)
    told.append(Told("bits", tr("{bits} + offset {offset}").format(bits=bits, offset=PAGE_SHIFT)))
    last = found.stops[-1] if found.stops else None
    if found.entry is not None:
        words = tr(", ").join(map(tr, found.entry.words))
        told.append(Told("entry", tr("{words}, as the last fault left it").format(words=words)))
    here = None if last is None else last.predicted_area
    if found.entry is not None and found.entry.writable and here and Access.WRITE not in here.access:
        told.append(Told("later", tr("read-only, as its area is since mprotect")))
    if last is not None and last.predicted_page is None:
        told.append(Told(tr("at {checkpoint}").format(checkpoint=last.checkpoint), tr("empty")))
    elif last is not None and found.entry is None:
        label = tr("at {checkpoint}").format(checkpoint=last.checkpoint)
        told.append(Told(label, tr("present; no fault wrote it")))
    return Step(
        "In the page tables",
        "The processor walks them by the page's number; the last entry names the frame, and what is allowed.",
        ("fault.page-tables",),
        tuple(told),
    )


def _access_step(found: Explanation, area: Vma) -> Step:
    last = found.stops[-1]
    gone = last.predicted_area is None
    told = [Told(word, _access_words(found, area, access)) for access, word in ACCESSES] if not gone else []
    if gone:
        told.append(Told("nobody", tr("the area is gone by then: SIGSEGV, si_code 1 (SEGV_MAPERR)")))
    told += [
        Told("a system call", tr("as the program itself; where that may not, it returns EFAULT")),
        Told("a debugger", _debugger_words(area)),
        Told("others", _others_words(area)),
    ]
    return Step(
        tr("Who may touch it at {stop}").format(stop=last.checkpoint),
        "The area decides, then the entry in the page table; what both allow is done without the kernel.",
        ("fault.refused",),
        tuple(told),
    )


def _access_words(found: Explanation, area: Vma, access: Access) -> str:
    last = found.stops[-1]
    here = last.predicted_area or area
    if access not in here.access:
        return tr("no: SIGSEGV, si_code 2 (SEGV_ACCERR)")
    page, entry = last.predicted_page, found.entry
    if page is None:
        return tr("yes, with a page fault first")
    if access is Access.WRITE and entry is not None and not entry.writable:
        return tr("yes, with a page fault first, that copies the page")
    if access is Access.WRITE and entry is None:
        return tr("yes")
    return tr("yes, at once")


def _debugger_words(area: Vma) -> str:
    """Return what ptrace may do. Source: mm/gup.c:check_vma_flags()."""
    if _is_vvar(area):
        return tr("may not even read it: the area is VM_IO")
    if area.sharing is Sharing.PRIVATE:
        return tr("may read and write it whatever the permissions (FOLL_FORCE)")
    if Access.WRITE in area.access:
        return tr("may read and write it, as everyone who maps it")
    return tr("may read it; a shared page is written only where the area allows")


def _is_vvar(area: Vma) -> bool:
    return area.name == "[vvar]" or area.name.startswith("[vvar_")


def _others_words(area: Vma) -> str:
    match kind_of(area):
        case AreaKind.VDSO:
            return tr("the kernel writes what is in [vvar], and every process reads the same pages")
        case AreaKind.ANONYMOUS | AreaKind.HEAP | AreaKind.STACK if area.sharing is Sharing.PRIVATE:
            return tr("no other process, but a child after fork, until one of them writes")
    if area.sharing is Sharing.SHARED:
        return tr("every process that maps it")
    return tr("the file's own page is shared with all who map it; a copy is this process's alone")
