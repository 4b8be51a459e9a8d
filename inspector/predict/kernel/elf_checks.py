"""What the ELF handlers ask of a file before the point of no return, in the kernel's own order.

A 64-bit kernel compiles fs/binfmt_elf.c twice: for its own programs, and for those of 32 bits
(fs/compat_binfmt_elf.c). The two differ in the structures they read and the machines they take. What fails
here is an errno.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.elf import header as elf
from inspector.elf.path import interpreter_path
from inspector.predict.kernel.errno import Errno, KernelError

if TYPE_CHECKING:
    from inspector.elf.file import ExecutableFile
    from inspector.elf.header import ElfHeader, ProgramHeader
    from inspector.model.profile import ExecRules
    from inspector.predict.kernel.bprm import LinuxBinprm

_PATH_MAX = 4096
_SHORTEST_PATH = 2
LARGEST_OFFSET = (1 << 63) - 1
"""A loff_t is no larger (MAX_LFS_FILESIZE)."""


@dataclass(frozen=True, slots=True)
class ElfFile:
    """An ELF file the kernel agreed to look at."""

    file: ExecutableFile
    header: ElfHeader
    segments: tuple[ProgramHeader, ...]

    @property
    def loads(self) -> tuple[ProgramHeader, ...]:
        """Its PT_LOADs in file order; the kernel does not sort them."""
        return tuple(segment for segment in self.segments if segment.type == elf.PT_LOAD)


@dataclass(frozen=True, slots=True)
class ElfProgram:
    """A program that passed every check before the point of no return."""

    main: ElfFile
    interpreter: ElfFile | None
    executable_stack: bool | None
    """PT_GNU_STACK's answer; None: the file has no PT_GNU_STACK."""
    layout: elf.ElfClass
    """How its structures were read."""

    @property
    def read_implies_exec(self) -> bool:
        """Rule `vma.read-implies-exec`; it is for 32-bit programs alone (arch/x86/include/asm/elf.h)."""
        return self.executable_stack is None and self.layout is elf.ELF32

    @property
    def is_position_independent(self) -> bool:
        """Whether it may be loaded anywhere."""
        return self.main.header.type == elf.ET_DYN


@dataclass(frozen=True, slots=True)
class ElfHandler:
    """One of the two handlers that a 64-bit kernel compiles from fs/binfmt_elf.c."""

    layout: elf.ElfClass
    machines: tuple[int, ...]
    """Which e_machine it takes (elf_check_arch()), of a program and of its interpreter."""


_NATIVE = ElfHandler(elf.ELF64, (elf.EM_X86_64,))
_COMPAT = ElfHandler(elf.ELF32, (elf.EM_386, elf.EM_486))
_COMPAT_WITH_X32 = ElfHandler(elf.ELF32, (elf.EM_386, elf.EM_486, elf.EM_X86_64))


def check(bprm: LinuxBinprm, buffer: bytes) -> ElfProgram:
    """Look at a file that begins with `buffer`; raise KernelError if it is refused.

    The file's class byte has no say: e_machine decides whose structures it is read by. Source:
    fs/binfmt_elf.c:load_elf_binary() up to begin_new_exec().
    """
    # In both classes e_type and e_machine stand at the same place.
    header = elf.ElfHeader.parse(buffer)
    if not header.ident.startswith(elf.ELF_MAGIC):
        raise KernelError(Errno.ENOEXEC)
    if header.type not in (elf.ET_EXEC, elf.ET_DYN):
        raise KernelError(Errno.ENOEXEC, "elf.type")
    # Linked in this order (fs/Makefile); the second is asked if the first returns ENOEXEC.
    handlers = (_NATIVE, _COMPAT if bprm.profile.exec_rules.runs_x32 is False else _COMPAT_WITH_X32)
    refusal = None
    for handler in handlers:
        if header.machine in handler.machines:
            try:
                return _check_by(handler, bprm, buffer)
            except KernelError as error:
                if error.errno is not Errno.ENOEXEC:
                    raise
                refusal = refusal or error
    raise refusal or KernelError(Errno.ENOEXEC, "elf.machine")


def _check_by(handler: ElfHandler, bprm: LinuxBinprm, buffer: bytes) -> ElfProgram:
    file, rules = bprm.file, bprm.profile.exec_rules
    header = elf.ElfHeader.parse(buffer, handler.layout)
    segments = load_elf_phdrs(file, header, handler.layout, rules.program_headers_limit)
    main = ElfFile(file, header, segments)

    interpreter_file = _open_interpreter(main, bprm, handler.layout)
    executable_stack: bool | None = None
    for segment in main.segments:
        if segment.type == elf.PT_GNU_STACK:
            executable_stack = bool(segment.flags & elf.PF_X)
    interpreter = None
    if interpreter_file is not None:
        interpreter = _check_interpreter(handler, interpreter_file, rules)
    return ElfProgram(main, interpreter, executable_stack, handler.layout)


def load_elf_phdrs(
    file: ExecutableFile, header: ElfHeader, layout: elf.ElfClass, limit: int
) -> tuple[ProgramHeader, ...]:
    """Read the program headers, at most `limit` bytes; KernelError(ENOEXEC) if the kernel would not.

    Rule `elf.program-headers`.
    """
    size = header.phnum * layout.phdr.size
    rule = "elf.program-headers"
    if header.phentsize != layout.phdr.size or not 0 < size <= limit:
        raise KernelError(Errno.ENOEXEC, rule)
    try:
        return elf.parse_program_headers(elf_read(file, header.phoff, size, rule), layout)
    except KernelError as error:
        raise KernelError(Errno.ENOEXEC, rule) from error


def _open_interpreter(main: ElfFile, bprm: LinuxBinprm, layout: elf.ElfClass) -> ExecutableFile | None:
    for segment in main.segments:
        if segment.type != elf.PT_INTERP:
            continue
        if not _SHORTEST_PATH <= segment.filesz <= _PATH_MAX:
            raise KernelError(Errno.ENOEXEC, "elf.interpreter-string")
        name = elf_read(main.file, segment.offset, segment.filesz, "elf.interpreter-string")
        if name[-1] != 0:
            raise KernelError(Errno.ENOEXEC, "elf.interpreter-string")
        try:
            interpreter = bprm.open_exec(interpreter_path(name.partition(b"\0")[0]))
        except KernelError as error:
            raise KernelError(error.errno, "elf.interpreter-missing") from error
        elf_read(interpreter, 0, layout.ehdr.size, "elf.interpreter-bad")
        return interpreter
    return None


def elf_read(file: ExecutableFile, offset: int, size: int, rule: str) -> bytes:
    """Return `size` bytes of `file`. KernelError: EIO where it is too short, EINVAL where no file reaches."""
    # fs/read_write.c:rw_verify_area(): an offset is a signed number.
    if offset + size > LARGEST_OFFSET:
        raise KernelError(Errno.EINVAL, rule)
    data = file.read(offset, size)
    if len(data) < size:
        raise KernelError(Errno.EIO, rule)
    return data


def _check_interpreter(handler: ElfHandler, file: ExecutableFile, rules: ExecRules) -> ElfFile:
    """Raise KernelError(ELIBBAD) unless the handler could load `file` (rule `elf.interpreter-bad`)."""
    header = elf.ElfHeader.parse(file.read(0, handler.layout.ehdr.size), handler.layout)
    if header.ident[:4] != elf.ELF_MAGIC or header.machine not in handler.machines:
        raise KernelError(Errno.ELIBBAD, "elf.interpreter-bad")
    try:
        segments = load_elf_phdrs(file, header, handler.layout, rules.program_headers_limit)
    except KernelError as error:
        raise KernelError(Errno.ELIBBAD, "elf.interpreter-bad") from error
    return ElfFile(file, header, segments)
