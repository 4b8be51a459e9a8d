"""From fork to the handler that takes the file: what happens while the old program still exists."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from inspector.elf.header import ELF64, ELF_MAGIC, EM_X86_64, ElfHeader, segment_name
from inspector.elf.script import BINPRM_BUF_SIZE, InterpreterLine, parse_interpreter_line
from inspector.language import N_, tr
from inspector.model.auxv import AuxType
from inspector.model.prediction import Outcome
from inspector.model.program import BASE_ENVIRONMENT
from inspector.story import Note, Step, Told, Value
from inspector.story.words import auxiliary, counted, exec_value, joined, verdict_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.layout.views import ElfImage
    from inspector.model.prediction import ExecVerdict
    from inspector.story.evidence import Evidence, OpenedFile

MOST_HEADERS = 24
"""Program headers that are told of; there may be two thousand."""
_TEXTS_LOADS = 2
_TYPES = {0: "NONE", 1: "REL", 2: "EXEC", 3: "DYN", 4: "CORE"}
_MACHINES = {3: "i386", 6: "i486", 40: "ARM", 62: "x86-64", 183: "AArch64", 243: "RISC-V"}
_UNSEEN_SEGMENTS = {
    "NULL": N_("nothing"),
    "DYNAMIC": N_("for the dynamic loader"),
    "INTERP": N_("names the dynamic loader"),
    "NOTE": N_("notes, such as the build id"),
    "PHDR": N_("where these headers are in memory"),
    "TLS": N_("what each thread's own data start as; for the C library"),
    "GNU_EH_FRAME": N_("for unwinding the stack"),
    "GNU_STACK": N_("whether the stack may be executed"),
    "GNU_RELRO": N_("what start-up code makes read-only once it is done"),
    "GNU_PROPERTY": N_("what the processor must be able to do"),
}


def fork_step() -> Step:
    """Return the step before execve."""
    return Step(
        "fork: a new process",
        "A shell that is given a command calls fork. The child has its parent's address space: the same "
        "pages, shared until one of the two writes. Here a launcher of a few bytes takes the shell's place, "
        "so that nothing of a shell's stands between you and the kernel.",
        ("fault.fork",),
    )


def execve_step(evidence: Evidence) -> Step:
    """Return the step in which the file is named and opened, and the strings are copied."""
    program = evidence.prediction.program
    added = [entry for entry in program.envp if entry not in BASE_ENVIRONMENT]
    told = [Told("path", program.path), Told("argv", " ".join(map(shlex.quote, program.argv)))]
    told.append(
        Told("environment", " ".join([counted(len(program.envp), "string"), *map(shlex.quote, added)]))
    )
    return Step(
        "execve: which file, which strings",
        "The child calls execve, system call 11. The kernel opens the file, if it may be executed, and "
        "copies path, environment and arguments to pages of their own, the top of the new stack to be.",
        ("stack.strings",),
        tuple(told),
    )


def header_step(file: OpenedFile, *, is_first: bool) -> Step:
    """Return the step in which a file's first bytes are read."""
    name = file.path.rpartition("/")[2]
    note = Note(
        "128 bytes are read", tr("{count}, since Linux 5.1").format(count=BINPRM_BUF_SIZE), "exec.first-bytes"
    )
    return Step(
        tr("The first {count} bytes, and the magic number").format(count=BINPRM_BUF_SIZE),
        tr(
            "The kernel reads the first {count} bytes of {name}; what a shorter file lacks reads as zeros. "
            "The first of them, the magic number, tells what kind of file it is."
        ).format(count=BINPRM_BUF_SIZE, name=name),
        ("exec.first-bytes",),
        tuple(_header_told(file.first_bytes)),
        notes=(note,) if is_first else (),
    )


def _header_told(first: bytes) -> Iterator[Told]:
    if first.startswith(ELF_MAGIC):
        header = ElfHeader.parse(first)
        if header.machine == EM_X86_64:
            header = ElfHeader.parse(first, ELF64)
        yield Told("magic number", f"{ELF_MAGIC.hex(' ')}: 0x7f E L F")
        yield Told("e_type", f"{header.type} ({_TYPES.get(header.type) or tr('unknown')})")
        machine = _MACHINES.get(header.machine) or tr("another processor")
        yield Told("e_machine", f"{header.machine} ({machine})")
        yield Told("e_entry", f"{header.entry:#x}")
        yield Told(
            "program headers",
            tr("{count} of {size} bytes each, from byte {offset} on").format(
                count=header.phnum, size=header.phentsize, offset=header.phoff
            ),
        )
        return
    line = parse_interpreter_line(first)
    if first.startswith(b"#!"):
        yield Told("magic number", "23 21: # !")
    else:
        yield Told(
            "magic number",
            tr("{bytes}: none that is known").format(bytes=first[:4].hex(" "))
            if first
            else tr("none: it is empty"),
        )
    if isinstance(line, InterpreterLine):
        yield Told("interpreter", os.fsdecode(line.name))
        if line.argument is not None:
            yield Told("its argument", os.fsdecode(line.argument))


def handler_step(evidence: Evidence, file: OpenedFile, *, is_last: bool) -> Step:
    """Return the search for a handler of one file; with the last, execve's answer if the program runs."""
    verdict = evidence.prediction.verdict
    runs = is_last and verdict is not None and verdict.outcome is Outcome.RUNS
    is_elf = file.first_bytes.startswith(ELF_MAGIC)
    note = Note("load_script loads ELF files", "load_elf_binary does; load_script takes #!", "exec.handlers")
    return Step(
        "The search for a handler",
        "Each format that is registered is asked in turn whether the file is one of its own; -ENOEXEC means "
        "that it is not.",
        ("exec.handlers",),
        tuple(_asked(evidence, file)),
        (verdict_value(evidence, verdict),) if runs and verdict is not None else (),
        (note,) if is_elf else (),
    )


def _asked(evidence: Evidence, file: OpenedFile) -> Iterator[Told]:
    """Yield what each handler says, in the order in which they are asked."""
    profile, verdict = evidence.prediction.profile, evidence.prediction.verdict
    registered = counted(len(profile.binfmt_misc), "handler")
    yield Told(
        "binfmt_misc",
        tr("{handlers} registered, none for this file: -ENOEXEC").format(handlers=registered),
    )
    if isinstance(parse_interpreter_line(file.first_bytes), InterpreterLine):
        yield Told("load_script", tr("takes it: execve goes on with the interpreter"))
        return
    begins_as_script = file.first_bytes.startswith(b"#!")
    yield Told(
        "load_script",
        tr("-ENOEXEC: a #! line that leads nowhere") if begins_as_script else tr("-ENOEXEC: no #!"),
    )
    if not file.first_bytes.startswith(ELF_MAGIC):
        yield Told("load_elf_binary", tr("-ENOEXEC: not the magic number"))
        return
    machine = ElfHeader.parse(file.first_bytes).machine
    refused = verdict is not None and verdict.outcome is Outcome.REFUSED
    answer = tr("takes it")
    if refused and verdict is not None:
        answer = tr("refuses it: -{errno}").format(errno=verdict.errno)
    if profile.machine != "x86_64":
        yield Told("load_elf_binary", answer)
    elif machine == EM_X86_64:
        yield Told("load_elf_binary", tr("a 64-bit program: {answer}").format(answer=answer))
    else:
        yield Told("load_elf_binary", tr("-ENOEXEC: not a 64-bit program"))
        yield Told(
            "load_elf_binary",
            tr("compiled once more, for 32-bit programs: {answer}").format(answer=answer),
        )


def verdict_value(evidence: Evidence, verdict: ExecVerdict) -> Value:
    """Return execve's answer."""
    seen = evidence.observation.verdict if evidence.observation is not None else None
    return Value("execve", verdict_words(verdict), None if seen is None else verdict_words(seen))


def program_headers_step(evidence: Evidence, image: ElfImage) -> Step:
    """Return the reading of the program headers: which are mapped, and what the others are for."""
    told = []
    for number, segment in enumerate(image.segments[:MOST_HEADERS]):
        name = segment_name(segment.type)
        what = (
            tr("bytes {offset:#x}+{filesz:#x} at {vaddr:#x}, {memsz:#x} in memory").format(
                offset=segment.offset, filesz=segment.filesz, vaddr=segment.vaddr, memsz=segment.memsz
            )
            if name == "LOAD"
            else tr(_UNSEEN_SEGMENTS.get(name, N_("not looked at")))
        )
        told.append(Told(f"{number:02} {name} {segment.access}", what))
    if len(image.segments) > MOST_HEADERS:
        told.append(Told("...", tr("and {count} more").format(count=len(image.segments) - MOST_HEADERS)))
    interpreter = evidence.prediction.files[-1].path if has_interpreter(image) else None
    ending = (
        tr("PT_INTERP names {path}.").format(path=interpreter)
        if interpreter
        else tr("There is no PT_INTERP, so no dynamic loader.")
    )
    values: tuple[Value, ...] = ()
    if evidence.at_exec is not None:
        values = (
            exec_value(evidence, "AT_PHNUM", auxiliary(AuxType.AT_PHNUM)),
            exec_value(evidence, "AT_PHDR", auxiliary(AuxType.AT_PHDR), "{:#x}"),
        )
    loads = len(image.loads)
    here = tr("{count}: what is only read is kept apart from code (-z noseparate-code makes it two)").format(
        count=loads
    )
    notes = (Note("two PT_LOAD, of code and of data", here),) if loads > _TEXTS_LOADS else ()
    return Step(
        "The program headers",
        joined(
            tr(
                "load_elf_binary() reads them ({headers}). It maps PT_LOAD alone; the others are hints, or "
                "meant for someone else."
            ).format(headers=counted(len(image.segments), "header")),
            ending,
        ),
        ("elf.program-headers",),
        tuple(told),
        values,
        notes,
    )


def has_interpreter(image: ElfImage) -> bool:
    """Whether a program header names a dynamic loader."""
    return any(segment_name(segment.type) == "INTERP" for segment in image.segments)
