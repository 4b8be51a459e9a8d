"""Where a program is to be stopped and looked at, worked out before anything runs.

exec                always: before its first instruction
main                always, where the file has such a symbol
SYMBOL, ADDRESS     before the instruction there, the first time
syscall:NAME        at the entry of every such system call; the second pass is `syscall:NAME#2`
exit                always: at the entry of exit or exit_group, or where a signal ends it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.elf.symbols import find_symbol, resolve_stop
from inspector.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.address import VirtAddr

EXIT_CALLS = ("exit", "exit_group")
SYSCALL_PREFIX = "syscall:"
_MILESTONES = frozenset({"exec", "exit"})


@dataclass(frozen=True, slots=True)
class StopPlan:
    """The stops of one run."""

    breakpoints: dict[str, VirtAddr]
    """Checkpoint name -> address in the file."""
    syscalls: tuple[str, ...]
    """Names or numbers of system calls."""
    until: str
    """The last checkpoint: the program is not followed beyond it, `exit` excepted."""


def plan_stops(path: str, stops: Sequence[str], until: str | None) -> StopPlan:
    """Resolve the stops the user named in the file at `path`. Raises UnknownSymbol or UsageError."""
    named = [stop for stop in stops if not stop.startswith(SYSCALL_PREFIX)]
    if until is not None and not until.startswith(SYSCALL_PREFIX):
        named.append(until)
    breakpoints = {stop: resolve_stop(path, stop) for stop in named if stop not in _MILESTONES}
    # Looking up a symbol means reading the whole symbol table: only for those who get that far.
    main = find_symbol(path, "main") if until != "exec" else None
    if main is not None:
        breakpoints.setdefault("main", main)
    calls = [stop for stop in (*stops, until or "") if stop.startswith(SYSCALL_PREFIX)]
    syscalls = tuple(dict.fromkeys(call.removeprefix(SYSCALL_PREFIX) for call in calls))
    if "" in syscalls:
        raise UsageError("--stop syscall: needs a name", help="for example --stop syscall:brk")
    return StopPlan(breakpoints, syscalls, until or "exit")
