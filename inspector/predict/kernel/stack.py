"""The initial stack: strings, tables and the auxiliary vector, byte by byte.

From the top of the stack downward (rules `stack.strings`, `stack.tables`):

    one zero word (the kernel's own word size)
    the path given to execve, NUL
    envp[n-1] ... envp[0]      strings
    argv[n-1] ... argv[0]      strings
    padding to 16 bytes (and a random amount with ASLR)
    platform string, NUL
    16 random bytes            AT_RANDOM points here
    padding to 16 bytes
    auxiliary vector, AT_NULL last
    envp pointers, NULL
    argv pointers, NULL
    argc                       <- esp
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE, VirtAddr, page_down
from inspector.model.auxv import AuxEntry, AuxType
from inspector.model.snapshot import StackImage, Unpredictable
from inspector.predict.kernel.errno import Errno, KernelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program

_WORD = 4
_WORD_MASK = 0xFFFF_FFFF
RANDOM_BYTES = 16
_MAX_ARG_STRLEN = 32 * 4096
_ARG_MAX = 128 << 10
_STACK_LIMIT_SHARE = 6 << 20


@dataclass(frozen=True, slots=True)
class Strings:
    """The strings execve copied to the new stack."""

    execfn: VirtAddr
    argv: tuple[VirtAddr, ...]
    envp: tuple[VirtAddr, ...]
    lowest: VirtAddr
    contents: Mapping[VirtAddr, bytes]


def copy_strings(program: Program, top: VirtAddr, kernel_word_bytes: int) -> Strings:
    """Place path, environment and arguments below `top`.

    Raises KernelError(E2BIG). Source: fs/exec.c:bprm_stack_limits(), copy_strings().
    """
    # Since Linux 5.18 a program always has an argv[0], empty if need be (do_execveat_common()).
    argv = program.argv or ("",)
    position = top - kernel_word_bytes
    floor = position - _string_room(len(argv), len(program.envp), program.limits.stack, kernel_word_bytes)
    contents: dict[VirtAddr, bytes] = {}

    def push(text: str) -> VirtAddr:
        nonlocal position
        data = os.fsencode(text) + b"\0"
        if len(data) > _MAX_ARG_STRLEN:
            raise KernelError(Errno.E2BIG, "exec.argument-too-long")
        position -= len(data)
        # The stack the strings are copied to may not outgrow its limit either, its first page excepted
        # (fs/exec.c:get_arg_page(), mm/vma.c:acct_stack_growth()).
        used = top - page_down(position)
        if position < floor or used > max(PAGE_SIZE, program.limits.stack):
            raise KernelError(Errno.E2BIG, "exec.arguments-too-big")
        contents[VirtAddr(position)] = data
        return VirtAddr(position)

    execfn = push(program.path)
    envp = tuple(push(text) for text in reversed(program.envp))[::-1]
    args = tuple(push(text) for text in reversed(argv))[::-1]
    return Strings(execfn, args, envp, VirtAddr(position), contents)


def _string_room(argc: int, envc: int, stack_limit: int, kernel_word_bytes: int) -> int:
    """Return how many bytes of strings fit. Source: fs/exec.c:bprm_stack_limits()."""
    limit = max(min(_STACK_LIMIT_SHARE, stack_limit // 4), _ARG_MAX)
    pointers = (argc + envc) * kernel_word_bytes
    if limit <= pointers:
        raise KernelError(Errno.E2BIG, "exec.arguments-too-big")
    return limit - pointers


@dataclass(frozen=True, slots=True)
class StackTables:
    """What create_elf_tables() adds below the strings."""

    image: StackImage
    auxv: tuple[AuxEntry, ...]
    tables_end: VirtAddr
    """First address above what was written; platform string and random bytes included."""

    def written(self, random_bytes: bytes) -> Iterator[tuple[VirtAddr, bytes]]:
        """Yield what is stored, in the kernel's order: platform string and random bytes, then the tables."""
        sp = self.image.sp
        random = self.image.unpredictable[0]
        yield (
            VirtAddr(random.start + random.length),
            self._bytes(random.start + random.length, self.tables_end),
        )
        yield random.start, random_bytes
        yield sp, self._bytes(sp, random.start)

    def _bytes(self, start: int, end: int) -> bytes:
        return self.image.contents[start - self.image.sp : end - self.image.sp]


def create_elf_tables(
    strings: Strings,
    *,
    top: VirtAddr,
    padding: int,
    profile: MachineProfile,
    values: Mapping[int, int],
) -> StackTables:
    """Build the rest of the stack. `values` holds the auxv entries that depend on the program.

    Source: fs/binfmt_elf.c:create_elf_tables().
    """
    position = (strings.lowest - padding) & ~0xF
    tables_end = VirtAddr(position)
    platform = profile.platform.encode() + b"\0"
    position -= len(platform)
    platform_at = VirtAddr(position)
    position -= RANDOM_BYTES
    random_at = VirtAddr(position)

    known = dict(values)
    known[AuxType.AT_PLATFORM] = platform_at
    known[AuxType.AT_RANDOM] = random_at
    known[AuxType.AT_EXECFN] = strings.execfn
    # The vector is made of the program's words, so a value that does not fit loses its upper half.
    auxv = tuple(
        AuxEntry(item.type, (_known(known, item.type) if item.value is None else item.value) & _WORD_MASK)
        for item in profile.auxv
    )

    words: list[int] = [len(strings.argv), *strings.argv, 0, *strings.envp, 0]
    words += [word for entry in (*auxv, AuxEntry(AuxType.AT_NULL, 0)) for word in (entry.type, entry.value)]
    sp = VirtAddr((position - _WORD * len(words)) & ~0xF)

    image = bytearray(top - sp)
    _place(image, sp, sp, struct.pack(f"<{len(words)}I", *words))
    _place(image, sp, platform_at, platform)
    for address, data in strings.contents.items():
        _place(image, sp, address, data)
    return StackTables(
        image=StackImage(sp, bytes(image), (Unpredictable(random_at, RANDOM_BYTES, "stack.at-random"),)),
        auxv=auxv,
        tables_end=tables_end,
    )


def _known(values: Mapping[int, int], kind: int) -> int:
    if kind not in values:
        raise NotModelled(f"auxiliary vector entry {AuxEntry(kind, 0).name}")
    return values[kind]


def _place(image: bytearray, base: VirtAddr, address: VirtAddr, data: bytes) -> None:
    image[address - base : address - base + len(data)] = data
