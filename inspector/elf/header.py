"""The ELF header and program headers, exactly the fields the kernel reads, judged by no one yet.

The kernel ignores EI_CLASS, EI_DATA, the version and the section headers, so nothing here refuses a
file for them; what it does check, and in which order, stands in `predict/kernel/binfmt_elf.py`.
"""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass

from inspector.model.vma import Access

ELF_MAGIC = b"\x7fELF"

ET_EXEC = 2
ET_DYN = 3
EM_386 = 3
EM_486 = 6
EM_X86_64 = 62

PT_NULL = 0
PT_LOAD = 1
PT_DYNAMIC = 2
PT_INTERP = 3
PT_PHDR = 6
PT_TLS = 7
PT_GNU_STACK = 0x6474E551
PT_GNU_RELRO = 0x6474E552
PT_GNU_PROPERTY = 0x6474E553

PF_X = 1
PF_W = 2
PF_R = 4

# Elf32_Ehdr: e_ident[16] e_type e_machine e_version e_entry e_phoff e_shoff e_flags
#             e_ehsize e_phentsize e_phnum e_shentsize e_shnum e_shstrndx
_EHDR = struct.Struct("<16sHHIIIIIHHHHHH")
# Elf32_Phdr: p_type p_offset p_vaddr p_paddr p_filesz p_memsz p_flags p_align
_PHDR = struct.Struct("<IIIIIIII")

EHDR_SIZE = _EHDR.size
PHDR_SIZE = _PHDR.size


@dataclass(frozen=True, slots=True)
class ElfHeader:
    """Elf32_Ehdr."""

    ident: bytes
    type: int
    machine: int
    version: int
    entry: int
    phoff: int
    shoff: int
    flags: int
    ehsize: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int

    @classmethod
    def parse(cls, data: bytes) -> ElfHeader:
        """Read the header from a file's first bytes; a shorter file counts as ending in zeros.

        Source: fs/exec.c:prepare_binprm(), which clears its 256-byte buffer before reading.
        """
        return cls(*_EHDR.unpack_from(data[:EHDR_SIZE].ljust(EHDR_SIZE, b"\0")))

    def pack(self) -> bytes:
        """Undo `parse`."""
        return _EHDR.pack(*astuple(self))


@dataclass(frozen=True, slots=True)
class ProgramHeader:
    """Elf32_Phdr."""

    type: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    flags: int
    align: int

    def pack(self) -> bytes:
        """Return the header's 32 bytes."""
        return _PHDR.pack(*astuple(self))

    @property
    def access(self) -> Access:
        """The protection a PT_LOAD asks for. Source: fs/binfmt_elf.c:make_prot()."""
        access = Access.NONE
        if self.flags & PF_R:
            access |= Access.READ
        if self.flags & PF_W:
            access |= Access.WRITE
        if self.flags & PF_X:
            access |= Access.EXECUTE
        return access


def new_header(
    *,
    type: int = ET_EXEC,  # noqa: A002 - the field's name
    machine: int = EM_386,
    entry: int,
    phoff: int = EHDR_SIZE,
    phentsize: int = PHDR_SIZE,
    phnum: int,
    magic: bytes = ELF_MAGIC,
) -> ElfHeader:
    """Return the header of a little-endian 32-bit file without sections: the fields the kernel reads."""
    ident = (magic + b"\1\1\1").ljust(16, b"\0")
    return ElfHeader(ident, type, machine, 1, entry, phoff, 0, 0, EHDR_SIZE, phentsize, phnum, 40, 0, 0)


def parse_program_headers(data: bytes) -> tuple[ProgramHeader, ...]:
    """Read as many whole Elf32_Phdr as `data` holds."""
    whole = len(data) - len(data) % PHDR_SIZE
    return tuple(ProgramHeader(*fields) for fields in _PHDR.iter_unpack(data[:whole]))
