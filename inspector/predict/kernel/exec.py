"""execve, from the path to the first instruction.

The order is the kernel's: open the file, copy the strings, ask the handlers about the file's first bytes,
and about those of the interpreter that a script names. A handler's refusal is an
errno as long as the old program still exists; past fs/exec.c:begin_new_exec() every failure is SIGSEGV.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.elf.header import ELF32, ELF64, EM_X86_64
from inspector.elf.script import BINPRM_BUF_SIZE, MAX_REWRITES
from inspector.errors import NotModelled
from inspector.model.prediction import ExecVerdict, Outcome
from inspector.predict.kernel import elf_checks
from inspector.predict.kernel.binfmt_misc import search_binfmt_handler
from inspector.predict.kernel.binfmt_script import load_script
from inspector.predict.kernel.bprm import ArgumentPages, LinuxBinprm
from inspector.predict.kernel.elf_checks import ElfProgram
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.layout import address_layout
from inspector.predict.kernel.start_process import start_native_process, start_process

if TYPE_CHECKING:
    from inspector.elf.file import ExecutableFile
    from inspector.model.prediction import FileIdentity, ScriptChain
    from inspector.model.profile import RandomBases
    from inspector.model.program import Program
    from inspector.predict.kernel.kernel import Kernel
    from inspector.predict.kernel.start_process import NativeProcess, Process

_CAPABILITY = "security.capability"


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What execve did: a verdict, the files it read, and the process if there is one."""

    verdict: ExecVerdict | None
    """None: it depends on `not_modelled`."""
    files: tuple[FileIdentity, ...] = ()
    """In the order in which they are opened: scripts, the program, the interpreter that PT_INTERP names."""
    script: ScriptChain | None = None
    process: Process | NativeProcess | None = None
    executable: str | None = None
    """The path of the program that runs, a script's last interpreter; None without a process."""
    not_modelled: NotModelled | None = None


def execve(program: Program, kernel: Kernel, bases: RandomBases | None = None) -> ExecResult:
    """Run execve for `program` in a process of its own.

    Source: fs/exec.c:do_execveat_common().
    """
    opened = kernel.loaded_files
    profile = kernel.profile
    bprm = LinuxBinprm(program, profile, opened, kernel.shared_descriptors)
    elf_program = limit = None
    process: Process | NativeProcess | None = None
    try:
        bprm.file = bprm.open_exec(program.path)
        layout = address_layout(program, profile, bases)
        bprm.arguments = ArgumentPages(program, layout.stack_top, profile.kernel_word_bytes)
        elf_program = exec_binprm(bprm)
        begin_new_exec(elf_program)
        if elf_program.layout is ELF64:
            process = start_native_process(elf_program, program, kernel, bases, bprm.arguments)
        else:
            process = start_process(elf_program, program, kernel, layout, bases, bprm.arguments.strings())
        verdict: ExecVerdict | None = ExecVerdict(Outcome.RUNS, rule="exec.runs")
    except KernelError as failure:
        # From fs/exec.c:begin_new_exec() on there is no program to return an errno to.
        verdict = (
            ExecVerdict(Outcome.REFUSED, errno=failure.errno.value, rule=failure.rule)
            if elf_program is None
            else ExecVerdict(Outcome.KILLED, signal="SIGSEGV", rule=failure.rule)
        )
    except NotModelled as error:
        verdict, limit = None, error
    return ExecResult(
        verdict,
        files=tuple(each.identity if process is not None else each.identity_if_small for each in opened),
        script=bprm.script,
        process=process,
        executable=elf_program.main.file.path if process is not None and elf_program is not None else None,
        not_modelled=limit,
    )


def exec_binprm(bprm: LinuxBinprm) -> ElfProgram:
    """Ask the handlers about one file after the other, until one of them takes a program.

    Raises KernelError for what no one takes, NotModelled. Source: fs/exec.c:exec_binprm().
    """
    for _ in range(1 + MAX_REWRITES):
        found = search_binary_handler(bprm)
        if isinstance(found, ElfProgram):
            return found
        bprm.file = found
    raise KernelError(Errno.ELOOP, "script.nesting")


def search_binary_handler(bprm: LinuxBinprm) -> ExecutableFile | ElfProgram:
    """Return the program in the file, or the file to go on with.

    The handlers are asked in the kernel's order: binfmt_misc, which registers itself first; then scripts and
    ELF, as they are linked (fs/Makefile). Rule `exec.no-handler`. Source: fs/exec.c:search_binary_handler().
    """
    buffer = bprm.file.read(0, BINPRM_BUF_SIZE).ljust(BINPRM_BUF_SIZE, b"\0")
    registered = search_binfmt_handler(bprm.profile.binfmt_misc, buffer, os.fsdecode(bprm.interp))
    if registered is not None:
        raise NotModelled(
            f"handler {registered.name!r} of binfmt_misc",
            help=f"disable it to see the kernel's own: echo 0 > /proc/sys/fs/binfmt_misc/{registered.name}",
        )
    reason = None
    for load_binary in (load_script, elf_checks.check):
        try:
            return load_binary(bprm, buffer)
        except KernelError as refusal:
            if refusal.errno is not Errno.ENOEXEC:
                raise
            reason = reason or refusal.rule
    raise KernelError(Errno.ENOEXEC, reason or "exec.no-handler")


def begin_new_exec(elf_program: ElfProgram) -> None:
    """Look at what the file says of the new program's rights, the last thing before the point of no return.

    Of a script it is the interpreter's file that is asked. Source: fs/exec.c:bprm_creds_from_file().
    """
    file = elf_program.main.file
    if not file.is_on_nosuid_mount:
        if _sets_id(file.stat.st_mode):
            raise NotModelled(
                "set-user-ID or set-group-ID program",
                help="run a copy of it: the bits are not copied to the staged program",
            )
        if file.attribute(_CAPABILITY) is not None:
            raise NotModelled(
                "program with file capabilities",
                help="run a copy of it: capabilities are not copied to the staged program",
            )
    files = filter(None, (elf_program.main, elf_program.interpreter))
    if elf_program.layout is ELF32 and any(each.header.machine == EM_X86_64 for each in files):
        raise NotModelled(
            "x32 program's address space", help="inspector predicts i386 programs; compile with -m32"
        )


def _sets_id(mode: int) -> bool:
    """Whether a program of `mode` runs with its owner's or group's rights.

    The group's bit counts only together with its x bit; alone, it once meant mandatory locking. Source:
    fs/exec.c:bprm_fill_uid().
    """
    both = stat.S_ISGID | stat.S_IXGRP
    return bool(mode & stat.S_ISUID) or mode & both == both
