"""The argument and environment shapes programs are started with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from inspector.model.program import BASE_ENVIRONMENT, UNLIMITED, Credentials, Layout, Limits, Program
from inspector.observe.credentials import current_credentials

if TYPE_CHECKING:
    import random
    from pathlib import Path

EVERY_BYTE = os.fsdecode(bytes(range(1, 256)))

ORDINARY: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "one argument": (("argument",), BASE_ENVIRONMENT),
    "forty arguments": (
        tuple("x" * (number * number * 7 % 5000) for number in range(40)),
        (*BASE_ENVIRONMENT, "EMPTY=", "EQUALS=a=b", "LONG=" + "y" * 4096, "no equals sign"),
    ),
    "empty strings, no environment": (("", "", ""), ()),
    "every byte": ((EVERY_BYTE, "\udcff", "\n"), (*BASE_ENVIRONMENT, "BYTES=" + EVERY_BYTE)),
}
"""Name -> (arguments after argv[0], environment)."""

EXTREME = {
    "300 kB of strings": (tuple(["z" * 1000] * 300), BASE_ENVIRONMENT),
    "ten thousand short strings": (tuple(map(str, range(10_000))), BASE_ENVIRONMENT),
    "sixty thousand strings: the pointers outgrow the stack": (tuple(["a"] * 60_000), BASE_ENVIRONMENT),
    "a string at the limit": (("w" * (32 * 4096 - 1),), ()),
    "ends on a page boundary": (("v" * 8000,), tuple("u" * length for length in range(64))),
    "empty environment strings": ((), ("", "", "A=")),
}

STACK_LIMITS = (0, 4096, 100_000, 1 << 20, 8 << 20, 200 << 20, 3 << 30, UNLIMITED)


def random_strings(source: random.Random) -> tuple[str, ...]:
    """Return some argument or environment strings of any bytes."""
    count, longest = source.choice(
        ((0, 0), (1, 1), (1, 8192), (2, 100_000), (5, 4096), (40, 4096), (300, 2000), (300, 8))
    )
    return tuple(
        os.fsdecode(bytes([source.randrange(1, 256)]) * source.randrange(longest + 1)) for _ in range(count)
    )


def random_stack_limit(source: random.Random) -> int:
    """Return a stack limit: an ordinary one, one that hardly holds the strings, or any other."""
    some = (
        *STACK_LIMITS,
        8 << 20,
        source.randrange(1 << 17),
        source.randrange(1 << 24),
        source.randrange(1 << 33),
    )
    return source.choice(some)


def credentials() -> Credentials:
    """Who runs the tests."""
    return current_credentials()


def launch(
    path: Path | str,
    argv: tuple[str, ...] | None = None,
    envp: tuple[str, ...] = BASE_ENVIRONMENT,
    *,
    layout: Layout = Layout.DEFAULT,
    stack_limit: int = 8 << 20,
    cwd: Path | str = "/",
) -> Program:
    """Return `path` as a program to run; its argv[0] is its path unless `argv` says otherwise."""
    return Program(
        path=os.fspath(path),
        argv=(os.fspath(path),) if argv is None else argv,
        envp=envp,
        requested=os.fspath(path),
        credentials=credentials(),
        cwd=os.fspath(cwd),
        limits=Limits(stack=stack_limit),
        layout=layout,
    )


def executable(path: Path, contents: bytes) -> Path:
    """Write `contents` to a new file at `path` that anyone may execute, and return `path`."""
    path.unlink(missing_ok=True)
    path.write_bytes(contents)
    path.chmod(0o755)
    return path
