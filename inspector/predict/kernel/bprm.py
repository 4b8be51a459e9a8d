"""A program on its way through execve: the file asked now, and the strings so far (struct linux_binprm).

The strings are copied from the top of the new stack downward, argv[0] last, so that the handler of scripts
can take argv[0] away again and put others in its place. What it takes away stays in memory until it is
written over, and the pages it touched stay touched.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SIZE, VirtAddr, page_down
from inspector.model.prediction import ScriptChain
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.namei import open_exec
from inspector.predict.kernel.rlimit import MemoryLimits
from inspector.predict.kernel.stack import Strings

if TYPE_CHECKING:
    from collections.abc import Collection

    from inspector.elf.file import ExecutableFile
    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program

MAX_ARG_STRLEN = 32 * 4096
_ARG_MAX = 128 << 10
_STACK_LIMIT_SHARE = 6 << 20


class LinuxBinprm:
    """One execve up to the point of no return."""

    file: ExecutableFile
    """What the handlers are asked about: the file that was named, then each interpreter in turn."""
    arguments: ArgumentPages

    def __init__(
        self,
        program: Program,
        profile: MachineProfile,
        opened: list[ExecutableFile],
        shared_descriptors: Collection[int] = (),
    ) -> None:
        """Open nothing yet. What `open_exec` opens is added to `opened`, whose owner closes it.

        `shared_descriptors`: see `predict`.
        """
        self.program = program
        self.profile = profile
        self._opened = opened
        self._shared_descriptors = shared_descriptors
        self.interp = os.fsencode(program.path)
        """What `file` was called by whoever asked for it: execve's path, or a `#!` line."""
        self.interpreters: list[bytes] = []
        """What the `#!` lines named, in order."""

    def open_exec(self, path: str) -> ExecutableFile:
        """Open a file as the program that calls execve. Raises KernelError."""
        program = self.program
        file = open_exec(
            path, program.cwd, program.credentials, self.profile.exec_rules, self._shared_descriptors
        )
        self._opened.append(file)
        return file

    @property
    def script(self) -> ScriptChain | None:
        """The interpreters so far; None: it is no script that execve was given."""
        if not self.interpreters:
            return None
        return ScriptChain(tuple(map(os.fsdecode, self.interpreters)), self.arguments.argv)


class ArgumentPages:
    """The strings copied so far to the top of a new stack, and what they leave behind there.

    Its methods raise KernelError(E2BIG), rules `exec.argument-too-long` and `exec.arguments-too-big`.
    """

    def __init__(self, program: Program, top: VirtAddr, kernel_word_bytes: int) -> None:
        """Copy path, environment and arguments of `program` below `top`.

        Source: fs/exec.c:do_execveat_common().
        """
        # Since Linux 5.18 a program always has an argv[0], empty if need be.
        argv = program.argv or ("",)
        self._top = top
        self._stack_limit = min(program.limits.stack, MemoryLimits.of(program.limits).address_space)
        self._position = self._lowest = VirtAddr(top - kernel_word_bytes)
        room = _string_room(len(argv), len(program.envp), program.limits.stack, kernel_word_bytes)
        self._floor = self._position - room
        self._written: list[tuple[VirtAddr, bytes]] = []
        self._execfn = self._copy(os.fsencode(program.path))
        self._envp = [self._copy(os.fsencode(text)) for text in reversed(program.envp)]
        self._argv: list[tuple[VirtAddr, bytes]] = []
        """The last argument first, as they were copied."""
        for text in reversed(argv):
            self.push(os.fsencode(text))

    def push(self, argument: bytes) -> None:
        """Put another argument before all others."""
        self._argv.append((self._copy(argument), argument))

    def remove_arg_zero(self) -> None:
        """Take the first argument away. Source: fs/exec.c:remove_arg_zero()."""
        address, argument = self._argv.pop()
        self._position = VirtAddr(address + len(argument) + 1)

    @property
    def argv(self) -> tuple[str, ...]:
        """The arguments as they stand."""
        return tuple(os.fsdecode(argument) for _, argument in reversed(self._argv))

    def strings(self, top: VirtAddr | None = None) -> Strings:
        """Return what was copied, as it lies in a stack that ends at `top`, or where it was copied to."""
        copied = Strings(
            execfn=self._execfn,
            argv=tuple(address for address, _ in reversed(self._argv)),
            envp=tuple(reversed(self._envp)),
            start=self._position,
            lowest=self._lowest,
            written=tuple(self._written),
        )
        return copied if top is None else copied.moved(top - self._top)

    def _copy(self, string: bytes) -> VirtAddr:
        """Source: fs/exec.c:copy_string_kernel(), copy_strings()."""
        data = string + b"\0"
        if len(data) > MAX_ARG_STRLEN:
            raise KernelError(Errno.E2BIG, "exec.argument-too-long")
        self._position = VirtAddr(self._position - len(data))
        # The stack the strings are copied to may not outgrow its limits either, its first page excepted
        # (fs/exec.c:get_arg_page(), mm/vma.c:acct_stack_growth()).
        used = self._top - page_down(self._position)
        if self._position < self._floor or used > max(PAGE_SIZE, self._stack_limit):
            raise KernelError(Errno.E2BIG, "exec.arguments-too-big")
        self._written.append((self._position, data))
        self._lowest = min(self._lowest, self._position)
        return self._position


def _string_room(argc: int, envc: int, stack_limit: int, kernel_word_bytes: int) -> int:
    """Return how many bytes of strings fit. Source: fs/exec.c:bprm_stack_limits()."""
    limit = max(min(_STACK_LIMIT_SHARE, stack_limit // 4), _ARG_MAX)
    pointers = (argc + envc) * kernel_word_bytes
    if limit <= pointers:
        raise KernelError(Errno.E2BIG, "exec.arguments-too-big")
    return limit - pointers
