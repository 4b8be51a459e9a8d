"""The initial stack and the first instruction: what a program finds before it has done anything."""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING

from inspector.language import tr
from inspector.model.address import vpn_of
from inspector.model.auxv import AuxType
from inspector.reconcile.stack import comparable_bytes, compare_stack
from inspector.story import Note, Step, Told, Value
from inspector.story.execve import has_interpreter
from inspector.story.words import counted, exec_value, joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.layout.views import ElfImage
    from inspector.model.snapshot import Snapshot, StackImage
    from inspector.story.evidence import Evidence

_WORD = 4
_GENERAL = ("eax", "ebx", "ecx", "edx", "esi", "edi", "ebp")


def initial_stack_step(evidence: Evidence) -> Step:
    """Return the tables that create_elf_tables() writes below the strings."""
    stack = evidence.at_exec.stack if evidence.at_exec is not None else None
    values = [exec_value(evidence, "esp", lambda each: each.registers and each.registers.esp, "{:#x}")]
    if stack is not None:
        values += [
            exec_value(evidence, "argc", _argc),
            exec_value(evidence, "auxv entries", _auxv_entries),
            _bytes_value(evidence, stack),
        ]
    return Step(
        "The initial stack",
        "create_elf_tables() writes what the program is told: below the strings the auxiliary vector, "
        "pointers to the strings, and argc, where esp points.",
        ("stack.tables", "stack.at-random"),
        tuple(_figure(stack)) if stack is not None else (),
        tuple(values),
    )


def _argc(snapshot: Snapshot) -> int | None:
    stack = snapshot.stack
    return None if stack is None else int.from_bytes(stack.contents[:_WORD], "little")


def _auxv_entries(snapshot: Snapshot) -> int | None:
    if snapshot.auxv is None:
        return None
    return sum(entry.type != AuxType.AT_NULL for entry in snapshot.auxv)


def _bytes_value(evidence: Evidence, stack: StackImage) -> Value:
    seen = evidence.seen_at_exec.stack if evidence.seen_at_exec is not None else None
    mine = tr("{known} bytes of {count}").format(known=comparable_bytes(stack), count=len(stack.contents))
    if seen is None:
        return Value("known beforehand", mine, None)
    wrong = list(compare_stack("exec", stack, seen))
    differ = tr("{runs} of them differ").format(runs=counted(len(wrong), "run"))
    return Value("known beforehand", mine, differ if wrong else mine)


def _figure(stack: StackImage) -> Iterator[Told]:
    """Yield the stack from its top down, as the books draw it."""
    words = [each[0] for each in struct.iter_unpack("<I", stack.contents[: len(stack.contents) // 4 * 4])]
    if not words:
        return
    argv = 1
    envp = argv + words[0] + 1
    auxv = envp
    while auxv < len(words) and words[auxv]:
        auxv += 1
    auxv += 1
    if auxv >= len(words):
        return  # overlaid by a segment: what is there is not what was written
    entries = auxv
    while entries + 1 < len(words) and words[entries] != AuxType.AT_NULL:
        entries += 2
    told = [
        (
            words[envp],
            tr("{strings}, and above them the path given to execve").format(
                strings=counted(auxv - envp - 1, "environment string")
            ),
        )
        if words[envp]
        else (0, ""),
        (words[argv], counted(words[0], "argument string")) if words[0] else (0, ""),
        (stack.sp + _WORD * auxv, _table("auxv", counted((entries - auxv) // 2, "pair"), "AT_NULL")),
        (stack.sp + _WORD * envp, _table("envp", counted(auxv - envp - 1, "pointer"), "0")),
        (stack.sp + _WORD * argv, _table("argv", counted(words[0], "pointer"), "0")),
        (stack.sp, f"argc: {words[0]}"),
    ]
    yield from (Told(f"{address:#x}", text) for address, text in told if text)


def _table(name: str, entries: str, end: str) -> str:
    """Say what a table holds, and what it ends in."""
    return tr("{name}: {entries} and {end}").format(name=name, entries=entries, end=end)


def entry_step(evidence: Evidence, image: ElfImage) -> Step:
    """Return the return from execve: to the first instruction of the program, or of its loader."""
    dynamic = has_interpreter(image)
    where = (
        tr("It leads to the dynamic loader's entry point; the program's own is told in AT_ENTRY.")
        if dynamic
        else tr("It leads to e_entry, which the header tells.")
    )
    values = []
    if evidence.at_exec is not None:
        values = [
            exec_value(evidence, name, partial(_register, name), "{:#x}") for name in ("eip", "esp", "edx")
        ]
        values += [
            exec_value(evidence, "the other registers", _others),
            exec_value(
                evidence, "pages resident", lambda each: None if each.pages is None else len(each.pages)
            ),
            exec_value(evidence, "page tables", lambda each: each.page_table_bytes, tr("{} bytes")),
            exec_value(evidence, "minor faults", lambda each: each.minor_faults),
        ]
    return Step(
        "The first instruction",
        joined(
            tr("start_thread() changes where the system call returns to, and the registers with it."),
            where,
            _first_page(evidence),
        ),
        ("register.at-entry",),
        (Told("e_entry", f"{image.header.entry:#x}"),),
        tuple(values),
        (
            Note(
                "EDX holds the address of DT_FINI's function",
                tr("the kernel puts 0 there, the dynamic loader its own function later")
                if dynamic
                else tr("the kernel puts 0 there"),
                "register.at-entry",
            ),
        ),
    )


def _first_page(evidence: Evidence) -> str:
    """Say whether the page of the first instruction is in memory."""
    snapshot = evidence.at_exec
    if snapshot is None or snapshot.registers is None or snapshot.pages is None:
        return ""
    there = any(page.vpn == vpn_of(snapshot.registers.eip) for page in snapshot.pages)
    return (
        tr("Its page is in memory already, for the kernel has cleared a part of it.")
        if there
        else tr("Its page is not in memory yet, and that is where the page faults begin.")
    )


def _register(name: str, snapshot: Snapshot) -> int | None:
    return None if snapshot.registers is None else int(getattr(snapshot.registers, name))


def _others(snapshot: Snapshot) -> str | None:
    """Say what the general registers but edx hold."""
    registers = snapshot.registers
    if registers is None:
        return None
    used = {name: getattr(registers, name) for name in _GENERAL if name != "edx" and getattr(registers, name)}
    return " ".join(f"{name} {value:#x}" for name, value in used.items()) or tr("all 0")
