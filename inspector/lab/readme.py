"""The README of a student's folder."""

from __future__ import annotations

import re
from textwrap import fill
from typing import TYPE_CHECKING

from inspector.lab.evidence import PROGRAM_PATH, RUN_PATH_BYTES
from inspector.lab.exercise import ready_names
from inspector.lab.kinds import Loader, Needs
from inspector.lab.sheet import CSV_SHEET, TOML_SHEET
from inspector.model.program import BASE_ENVIRONMENT

if TYPE_CHECKING:
    from inspector.lab.exercise import Exercise
    from inspector.lab.variant import Variant
    from inspector.model.profile import MachineProfile

_WIDTH = 100
_STACK_GAP = 128 << 20
"""What is kept for a stack that may grow to 8 MiB (arch/x86/mm/mmap.c:mmap_base())."""


def readme(
    exercise: Exercise, student: str, variant: Variant, profile: MachineProfile | None, *, as_csv: bool
) -> str:
    """Return the README, in Markdown."""
    parts = [f"# {exercise.title}", f"For {_plain(student)}. {exercise.points} points in all."]
    parts += [_filled(paragraph) for paragraph in exercise.text.strip().split("\n\n")]
    if variant.files:
        parts.append("## The files")
        parts.append(_filled(f"{', '.join(f'`{name}`' for name in variant.files)}: made for you alone."))
    if how := _how_it_runs(exercise, variant):
        parts += ["## How it is run", *how]
    if profile is not None and _asks_the_machine(exercise):
        parts += ["## The machine", *_machine(profile)]
    parts.append("## The questions")
    for question in exercise.questions:
        parts.append(
            _filled(f"**{question.id}** ({question.points} points). {' '.join(question.ask.split())}")
        )
        if given := question.given(variant):
            parts.append(_filled(f"Given: {given}."))
        if form := question.form():
            parts.append(_filled(f"Write: {form}."))
        if question.needs:
            parts.append(_filled(f"It counts once {' and '.join(question.needs)} are right."))
    sheet = CSV_SHEET if as_csv else TOML_SHEET
    parts += [
        "## Handing in",
        _filled(
            f"Fill in `{sheet}`; leave what you do not know blank. Numbers may be decimal, or "
            "hexadecimal with 0x; eight digits without it are an address as maps prints it. "
            f"`{_check_command(exercise)}` in this folder says which rows are right, where the machine at "
            "hand can run the programs."
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _check_command(exercise: Exercise) -> str:
    """Return the command that checks the folder; an exercise of a teacher's own is handed out beside it."""
    words = ["inspector lab check"]
    if exercise.name not in ready_names():
        words += ["--exercise", f"PATH/{exercise.name}.toml"]
    return " ".join(words)


def _asks_the_machine(exercise: Exercise) -> bool:
    return any(question.evidence is not Needs.NOTHING for question in exercise.questions)


def _how_it_runs(exercise: Exercise, variant: Variant) -> list[str]:
    needs = {question.evidence for question in exercise.questions}
    lines = []
    arguments = "".join(f" {word}" for word in variant.arguments)
    if Needs.EXEC in needs and exercise.loader is None:
        lines.append(
            f"Questions about the process at exec: execve is given the path `{PROGRAM_PATH}`, and argv"
        )
        lines.append(f"    {PROGRAM_PATH}{arguments}")
    if needs & {Needs.STOPS, Needs.FAULTS}:
        lines.append(
            _filled(
                "Questions about its run: it is executed by a path of "
                f"{RUN_PATH_BYTES} bytes, which is argv[0], too; its other arguments are"
                f" {arguments.strip() or 'none'}."
            )
        )
    if lines:
        lines.append(
            _filled(
                "Its environment is exactly this, its stack may grow to 8 MiB, and addresses are not random:"
            )
        )
        lines.append("\n".join(f"    {entry}" for entry in BASE_ENVIRONMENT))
    if (loader := exercise.loader) is not None:
        lines += _loader(loader)
    return lines


def _loader(loader: Loader) -> list[str]:
    return [
        _filled(
            "Your command is run once for each file, with its path as the last argument, for up to "
            f"{loader.seconds:g} s and in {loader.memory_mib} MiB, in a folder that holds what you hand in "
            "and cannot be written to; /tmp can. "
            "INSPECTOR_PROFILE in its environment names the machine's profile."
        )
    ]


def _machine(profile: MachineProfile) -> list[str]:
    layout = profile.layouts["default"]
    rows = [
        f"Linux {profile.kernel} on {profile.machine}",
        f"addresses of an i386 program end at {layout.task_size:#x}; the stack begins there",
        f"auxiliary vector: {len(profile.auxv) + 1} entries, AT_NULL among them",
        f"AT_PLATFORM is {profile.platform!r}",
        f"a read fault maps a file's pages in an aligned window of {profile.fault_around_bytes >> 10} KiB",
    ]
    if not layout.bottom_up:
        top = (layout.task_size - _STACK_GAP) & -profile.page_size
        size = sum(area.pages for area in profile.special_areas) * profile.page_size
        names = ", ".join(area.name for area in profile.special_areas)
        rows.append(f"mmap_base is {top:#x}; from {top - size:#x} on lie {names}")
    return ["\n".join(f"- {row}" for row in rows)]


def _filled(text: str) -> str:
    return fill(" ".join(text.split()), _WIDTH, break_long_words=False, break_on_hyphens=False)


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)
