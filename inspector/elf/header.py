"""The ELF header and program headers, exactly the fields the kernel reads, judged by no one yet.

The kernel ignores EI_CLASS, EI_DATA, the version and the section headers, so nothing here refuses a
file for them; what it does check, and in which order, stands in `predict/kernel/elf_checks.py`.
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
PT_NOTE = 4
PT_PHDR = 6
PT_TLS = 7
PT_GNU_EH_FRAME = 0x6474E550
PT_GNU_STACK = 0x6474E551
PT_GNU_RELRO = 0x6474E552
PT_GNU_PROPERTY = 0x6474E553
PT_GNU_SFRAME = 0x6474E554

PF_X = 1
PF_W = 2
PF_R = 4


@dataclass(frozen=True, slots=True)
class ElfClass:
    """How files of one class lay out what the kernel reads."""

    number: int
    """EI_CLASS, which the kernel does not look at."""
    ehdr: struct.Struct
    """e_ident[16] e_type e_machine e_version e_entry e_phoff e_shoff e_flags
    e_ehsize e_phentsize e_phnum e_shentsize e_shnum e_shstrndx"""
    phdr: struct.Struct
    word: int
    """An address is below."""
    phdr_fields: tuple[str, ...]
    """The fields of ProgramHeader in the order of the file."""


ELF32 = ElfClass(
    1,
    struct.Struct("<16sHHIIIIIHHHHHH"),
    struct.Struct("<IIIIIIII"),
    1 << 32,
    ("type", "offset", "vaddr", "paddr", "filesz", "memsz", "flags", "align"),
)
ELF64 = ElfClass(
    2,
    struct.Struct("<16sHHIQQQIHHHHHH"),
    struct.Struct("<IIQQQQQQ"),
    1 << 64,
    ("type", "flags", "offset", "vaddr", "paddr", "filesz", "memsz", "align"),
)

EHDR_SIZE = ELF32.ehdr.size
PHDR_SIZE = ELF32.phdr.size


@dataclass(frozen=True, slots=True)
class ElfHeader:
    """Elf32_Ehdr or Elf64_Ehdr."""

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
    def parse(cls, data: bytes, layout: ElfClass = ELF32) -> ElfHeader:
        """Read the header from a file's first bytes; a shorter file counts as ending in zeros.

        Source: fs/exec.c:prepare_binprm(), which clears its 256-byte buffer before reading.
        """
        size = layout.ehdr.size
        return cls(*layout.ehdr.unpack_from(data[:size].ljust(size, b"\0")))

    def pack(self, layout: ElfClass = ELF32) -> bytes:
        """Undo `parse`."""
        return layout.ehdr.pack(*astuple(self))


@dataclass(frozen=True, slots=True)
class ProgramHeader:
    """Elf32_Phdr or Elf64_Phdr."""

    type: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    flags: int
    align: int

    def pack(self, layout: ElfClass = ELF32) -> bytes:
        """Return the header as it stands in a file."""
        return layout.phdr.pack(*(getattr(self, field) for field in layout.phdr_fields))

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
    phoff: int | None = None,
    phentsize: int | None = None,
    phnum: int,
    magic: bytes = ELF_MAGIC,
    layout: ElfClass = ELF32,
) -> ElfHeader:
    """Return the header of a little-endian file without sections: the fields the kernel reads.

    Unless told otherwise, the program headers follow it.
    """
    size = layout.ehdr.size
    return ElfHeader(
        ident=(magic + bytes([layout.number, 1, 1])).ljust(16, b"\0"),
        type=type,
        machine=machine,
        version=1,
        entry=entry,
        phoff=size if phoff is None else phoff,
        shoff=0,
        flags=0,
        ehsize=size,
        phentsize=layout.phdr.size if phentsize is None else phentsize,
        phnum=phnum,
        shentsize=40,
        shnum=0,
        shstrndx=0,
    )


def parse_program_headers(data: bytes, layout: ElfClass = ELF32) -> tuple[ProgramHeader, ...]:
    """Read as many whole program headers as `data` holds."""
    whole = len(data) - len(data) % layout.phdr.size
    return tuple(
        ProgramHeader(**dict(zip(layout.phdr_fields, fields, strict=True)))
        for fields in layout.phdr.iter_unpack(data[:whole])
    )


_SEGMENT_NAMES = {
    PT_NULL: "NULL",
    PT_LOAD: "LOAD",
    PT_DYNAMIC: "DYNAMIC",
    PT_INTERP: "INTERP",
    PT_NOTE: "NOTE",
    PT_PHDR: "PHDR",
    PT_TLS: "TLS",
    PT_GNU_EH_FRAME: "GNU_EH_FRAME",
    PT_GNU_STACK: "GNU_STACK",
    PT_GNU_RELRO: "GNU_RELRO",
    PT_GNU_PROPERTY: "GNU_PROPERTY",
    PT_GNU_SFRAME: "GNU_SFRAME",
}


def segment_name(number: int) -> str:
    """Return what readelf calls a p_type: `LOAD`; one not known is a hexadecimal number."""
    return _SEGMENT_NAMES.get(number, f"{number:#x}")
