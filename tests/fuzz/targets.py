"""What the fuzzer throws bytes at: for any bytes whatever, a result or an InspectorError.

Anything else that leaves a target is a finding: another exception, more than a second of processor time,
more memory than `make fuzz` allows. Nothing here needs the fuzzer, so that a finding can be looked at
without it (`python -m tests.fuzz --replay TARGET FILE`), and every seed is run by the ordinary tests.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from inspector.elf.file import ExecutableFile
from inspector.elf.header import ELF64, EM_X86_64, ET_DYN, ElfHeader
from inspector.elf.stops import plan_stops
from inspector.elf.symbol_index import SymbolIndex
from inspector.errors import InspectorError
from inspector.explain.document import explanation_json
from inspector.explain.find import explain
from inspector.explain.tell import tell as explanation_steps
from inspector.fuzz.fields import class_of
from inspector.layout.document import layout_json
from inspector.layout.views import read_image, views_of
from inspector.model import document
from inspector.model.address import VirtAddr
from inspector.model.profile import RandomBases
from inspector.model.program import Layout
from inspector.observe.gdb.mi import RecordReader
from inspector.observe.perf.endings import parse_exits
from inspector.observe.perf.records import SoftwareLayout, parse_records
from inspector.observe.procfs.auxv import parse_auxv
from inspector.observe.procfs.maps import format_maps, parse_maps
from inspector.observe.procfs.pagemap import parse_pagemap, present_runs
from inspector.observe.procfs.smaps import parse_smaps
from inspector.observe.procfs.stat import parse_stat
from inspector.observe.procfs.status import parse_status
from inspector.predict import predict
from inspector.reconcile import reconcile
from inspector.report.check import check_document, observation_document, prediction_document
from inspector.report.detail import Detail
from inspector.report.explain import explanation_document
from inspector.report.layout import layout_document
from inspector.report.overlay import overlay_document
from inspector.report.picture import picture_of
from inspector.report.profile import profile_document
from inspector.report.story import story_documents
from inspector.report.terminal import Style, render
from inspector.simulators.overlay import (
    OverlayRun,
    calls_text,
    parse_calls,
    parse_tree,
    random_calls,
    run,
)
from inspector.simulators.overlay.document import overlay_json
from inspector.story.document import story_json
from inspector.story.evidence import Evidence, read_files
from inspector.story.tell import tell
from tests.elfwriter import Elf, Phdr, R, W, gnu_stack
from tests.fuzz.lab_target import handed_in
from tests.live.odd_programs import INTERPRETERS
from tests.machines import PROFILE, write_program
from tests.unit.model.real_documents import OBSERVATION, PREDICTION

if TYPE_CHECKING:
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.program import Program
    from inspector.reconcile import Reconciliation
    from inspector.report.document import Document

Target = Callable[[bytes], object]

OLDER_KERNEL, LAYOUT_3GB, RANDOMIZED = 1, 2, 4
"""Bits of e_version, which no kernel reads: under what the file is predicted."""
PROGRAM_HOLE_SHIFT, SYMBOLS_HOLE_SHIFT = 18, 26
"""e_flags, which no kernel reads either: the file ends in a hole, at 1 << this at the most. A program's is
small, for its hash would take most of the time."""

WIDE_INTERPRETER = "interp-64"
"""A 64-bit program's."""
WIDE_LOADER = Elf(
    [Phdr(vaddr=0), Phdr(offset=0x1000, vaddr=0x2000, memsz=0x2800, flags=R | W), gnu_stack()],
    type=ET_DYN,
    machine=EM_X86_64,
    entry=0x200,
    layout=ELF64,
).build()

_MANY_PAGES = re.compile(rb'"count": ?[0-9]{6}')
"""A document may tell of 16 GiB of pages in a few words, as a recording of a large process does. That many
objects take their time, which is no finding."""

_OLDER = replace(
    PROFILE,
    exec_rules=replace(
        PROFILE.exec_rules,
        program_bss_by_segment=False,
        interpreter_bss_by_segment=False,
        static_pie_aligned=False,
        heap_label_touches=True,
    ),
)
_BASES = RandomBases(
    VirtAddr(0xFFA00000), VirtAddr(0xF7D00000), VirtAddr(0x09000000), VirtAddr(0x56600000), 0x120
)


@cache
def _directory() -> Path:
    """Return a directory of this process's, in memory where there is a tmpfs, with interpreters in it."""
    memory = Path("/dev/shm")  # noqa: S108
    made = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
    _kept.append(made)
    for name, contents in {**INTERPRETERS, WIDE_INTERPRETER: WIDE_LOADER}.items():
        path = Path(made.name) / name
        path.write_bytes(contents)
        path.chmod(0o755)
    return Path(made.name)


_ALL = Detail(verbose=True, gaps=True, pages=True)
_kept: list[tempfile.TemporaryDirectory[str]] = []


def _on_disk(data: bytes, largest_shift: int) -> tuple[Program, ElfHeader]:
    written = write_program(_directory(), data)
    header = ElfHeader.parse(data, class_of(data))
    with Path(written.path).open("r+b") as file:
        file.truncate(max(len(data), 1 << header.flags % (largest_shift + 1)))
    return written, header


def program(data: bytes) -> None:
    """The bytes are a program: predict it up to exec, print it, save it, read it again."""
    written, header = _on_disk(data, PROGRAM_HOLE_SHIFT)
    randomized = bool(header.version & RANDOMIZED)
    written = replace(
        written,
        layout=Layout.THREE_GB if header.version & LAYOUT_3GB else Layout.DEFAULT,
        randomize=randomized,
    )
    profile = _OLDER if header.version & OLDER_KERNEL else PROFILE
    with suppress(InspectorError):
        prediction = predict(written, profile, bases=_BASES if randomized else None, until="exec")
        _print(prediction_document(prediction, detail=_ALL))
        _draw(prediction)
        known = Evidence(prediction, None, read_files(written))
        _explain(known, header.entry)
        told = tell(known, faults=1, unobserved="only predicted")
        story_json(told)
        for part in story_documents(told):
            _print(part)
        saved = document.prediction_document(prediction)
        if document.parse_prediction(saved) != prediction:
            raise AssertionError("a saved prediction is not read as it was")


def symbols(data: bytes) -> None:
    """The bytes are a program whose symbols are asked for, by name and by place, and its sections."""
    written, _ = _on_disk(data, SYMBOLS_HOLE_SHIFT)
    with suppress(InspectorError), ExecutableFile(written.path) as file:
        views = views_of(read_image(file), None)
        layout_json(written.path, None, views)
        _print(layout_document(written.path, None, views))
    with suppress(InspectorError), ExecutableFile(written.path) as file:
        index = SymbolIndex(file)
        for offset in (0, 0x200, 0x1000):
            index.place_in_file(offset)
    index = SymbolIndex(written.path)
    index.at(0x08048000)
    index.like("_strat")
    for stops in (("_start", "0x10", "syscall:write#2"), ("",), ("\udcff",)):
        with suppress(InspectorError):
            plan_stops(written.path, stops, None)


def saved(data: bytes) -> None:
    """The bytes are a document of some kind: what can be read is used, printed and saved again."""
    if _MANY_PAGES.search(data):
        return
    for read in (_prediction, _observation, _profile, _check):
        with suppress(InspectorError):
            read(data)


def _prediction(data: bytes) -> None:
    prediction = document.parse_prediction(data)
    _print(prediction_document(prediction, detail=_ALL))
    _draw(prediction)
    document.prediction_document(prediction)
    _compare(prediction, document.parse_observation(OBSERVATION))


def _observation(data: bytes) -> None:
    observation = document.parse_observation(data)
    _print(observation_document(observation, detail=_ALL))
    _draw(observation)
    document.observation_document(observation)
    _compare(document.parse_prediction(PREDICTION), observation)


def _compare(prediction: Prediction, observation: Observation) -> None:
    result = reconcile(prediction, observation)
    _print(check_document(result, detail=_ALL))
    _draw(result)
    document.check_document(prediction, observation, result.findings, result.exit_code)


def _profile(data: bytes) -> None:
    profile = document.parse_profile(data)
    _print(profile_document(profile))
    document.profile_document(profile)
    predict(write_program(_directory(), Elf().build()), profile, until="exec")


def _check(data: bytes) -> None:
    check = document.parse_check(data)
    document.check_document(check.prediction, check.observation, check.findings, check.exit_code)


def tree(data: bytes) -> None:
    """The bytes are a tree of modules: its addresses, and calls drawn from it, are printed and saved."""
    with suppress(InspectorError):
        modules = parse_tree(data)
        calls = random_calls(modules, 20, 1)
        overlay_run = OverlayRun(modules, calls, tuple(run(modules, calls)))
        if parse_calls(calls_text(calls), modules) != calls:
            raise AssertionError("calls are not read as they are written")
        _print(overlay_document(overlay_run, solve=True))
        overlay_json(overlay_run, solve=True)


def lab(data: bytes) -> None:
    """What a lab is handed in, or a teacher writes; of a sheet that can be graded the report is printed."""
    report = handed_in(data)
    if report is not None:
        _print(report)


def evidence(data: bytes) -> None:
    """The first byte says which of the kernel's or gdb's words the others are."""
    kinds = tuple(EVIDENCE.values())
    if data:
        kinds[data[0] % len(kinds)](data[1:])


def _or_value_error(parse: Callable[[bytes], object]) -> Target:
    """Return a target for a parser that refuses what is not of the kernel's form by ValueError."""

    def target(data: bytes) -> None:
        with suppress(ValueError):
            parse(data)

    return target


def _mi(data: bytes) -> None:
    """No line whatsoever makes it raise, in however many pieces it arrives."""
    reader = RecordReader()
    middle = len(data) // 2
    in_pieces = [*reader.feed(data[:middle]), *reader.feed(data[middle:]), *reader.finish()]
    whole = RecordReader()
    if in_pieces != [*whole.feed(data), *whole.finish()]:
        raise AssertionError("records depend on how they arrive")


EVIDENCE: dict[str, Target] = {
    "maps": _or_value_error(lambda data: format_maps(parse_maps(data))),
    "smaps": _or_value_error(parse_smaps),
    "status": _or_value_error(parse_status),
    "stat": _or_value_error(parse_stat),
    "auxv": _or_value_error(lambda data: (parse_auxv(data, 4), parse_auxv(data, 8))),
    "pagemap": _or_value_error(lambda data: list(parse_pagemap(data, VirtAddr(0xFFFF_F000)))),
    "page runs": _or_value_error(lambda data: list(present_runs(data, VirtAddr(0)))),
    "perf": _or_value_error(lambda data: list(parse_records(data, SoftwareLayout()))),
    "mi": _mi,
    "exits": _or_value_error(lambda data: list(parse_exits(data))),
}

TARGETS: dict[str, Target] = {
    "program": program,
    "symbols": symbols,
    "document": saved,
    "tree": tree,
    "evidence": evidence,
    "lab": lab,
}


def _explain(known: Evidence, entry: int) -> None:
    """Explain an address of the file's choice, the last one there is, and the middle of each area."""
    if not known.prediction.snapshots:
        return
    areas = known.prediction.snapshots[-1].vmas or ()
    for address in (entry, 0xFFFF_FFFF, *((vma.start + vma.end) // 2 for vma in areas[:2])):
        found = explain(known, hex(address), VirtAddr(address & 0xFFFF_FFFF), "only predicted")
        steps = explanation_steps(found)
        explanation_json(found, steps)
        _print(explanation_document(found, steps))


def _draw(result: Prediction | Observation | Reconciliation) -> None:
    """Draw a result, and read the picture as XML."""
    ET.fromstring(picture_of(result))  # noqa: S314 - our own
    result._repr_html_()


def _print(report: Document) -> None:
    for style in (Style(), Style(width=72, colour=True, unicode=False)):
        for line in render(report, style):
            if "\n" in line:
                raise AssertionError("a line of the report is two")
