"""Where a program is to be stopped and looked at, and what the checkpoints made there are called.

Both wings go by this, so that what they saw at a checkpoint of one name can be compared.

    start, 0x8049000   the first time the program gets to a symbol or an address
    syscall:write      every entry of that system call, by its i386 name or number
    syscall:write#3    its third entry only
    syscall#12         the entry of the twelfth system call since execve, whichever it is
    exec               always: before the first instruction
    main               always, where the file has such a symbol
    exit               always: the entry of exit or exit_group, or the signal that kills

What is passed again is told apart by its number: `syscall:write`, `syscall:write#2`, `syscall:write#3`.
System calls are counted as the kernel is entered for them: one restarted after a signal counts again.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inspector.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inspector.model.address import VirtAddr

EXIT_CALLS = ("exit", "exit_group")
_MILESTONES = frozenset({"exec", "exit"})
_CALL = re.compile(r"syscall:(?P<name>[A-Za-z0-9_]+)(?:#(?P<entry>[1-9][0-9]*))?", re.ASCII)
_COUNTED = re.compile(r"syscall#(?P<number>[1-9][0-9]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class StopPlan:
    """The stops of one run, worked out before anything runs."""

    breakpoints: dict[str, VirtAddr]
    """Checkpoint name -> address in the file."""
    syscalls: dict[str, frozenset[int]]
    """Name or number of a system call -> which of its entries are wanted, counted from 1; empty: all."""
    counted: frozenset[int]
    """The system calls wanted by their number in the run, counted from 1."""
    until: str
    """The last checkpoint: the program is not followed beyond it, `exit` excepted."""


def plan_stops(path: str, stops: Sequence[str], until: str | None) -> StopPlan:
    """Resolve the stops the user named in the file at `path`. Raises UnknownSymbol or UsageError."""
    breakpoints: dict[str, VirtAddr] = {}
    entries: dict[str, list[int]] = {}
    counted: set[int] = set()
    for stop in stops if until is None else (*stops, until):
        if call := _CALL.fullmatch(stop):
            entries.setdefault(call["name"], []).append(int(call["entry"] or 0))
        elif call := _COUNTED.fullmatch(stop):
            counted.add(int(call["number"]))
        elif stop.startswith(("syscall:", "syscall#")):
            raise UsageError(
                f"--stop {stop} is no system call", help="for example --stop syscall:brk, or syscall#12"
            )
        elif stop not in _MILESTONES:
            from inspector.elf.symbols import resolve_stop

            breakpoints[stop] = resolve_stop(path, stop)
    # Looking up a symbol means reading the whole symbol table: only for those who get that far.
    if until != "exec":
        from inspector.elf.symbols import find_symbol

        main = find_symbol(path, "main")
        if main is not None:
            breakpoints.setdefault("main", main)
    return StopPlan(
        breakpoints,
        {name: frozenset() if 0 in wanted else frozenset(wanted) for name, wanted in entries.items()},
        frozenset(counted),
        "exit" if until is None else checkpoint_name(until),
    )


def checkpoint_name(stop: str) -> str:
    """Return what the checkpoint of a stop is called: the first entry of a system call bears no number."""
    return stop.removesuffix("#1") if _CALL.fullmatch(stop) else stop


def unreached_stops(stops: Sequence[str], until: str | None, reached: Iterable[str]) -> tuple[str, ...]:
    """Return the checkpoints of the stops the user named that are not among those `reached`."""
    asked = stops if until is None else (*stops, until)
    there = frozenset(reached)
    return tuple(name for name in dict.fromkeys(map(checkpoint_name, asked)) if name not in there)


def stop_at(checkpoint: str) -> str:
    """Return the stop that leads to `checkpoint`."""
    return (
        checkpoint
        if _CALL.fullmatch(checkpoint) or _COUNTED.fullmatch(checkpoint)
        else checkpoint.partition("#")[0]
    )


@dataclass(slots=True)
class Passes:
    """How often the run has been where."""

    plan: StopPlan
    bias: int
    """What was added to the addresses of the program's file."""
    _calls: int = 0
    _times: Counter[str] = field(default_factory=Counter)

    def at_address(self, address: VirtAddr) -> list[str]:
        """Return the checkpoints that a breakpoint's address is."""
        names = [name for name, each in self.plan.breakpoints.items() if each + self.bias == address]
        return [self._another(name) for name in names]

    def at_call(self, number: int, name: str) -> list[str]:
        """Return the checkpoints that the entry of a system call is; to be asked once at each entry."""
        self._calls += 1
        reached = [f"syscall#{self._calls}"] if self._calls in self.plan.counted else []
        for asked, wanted in self.plan.syscalls.items():
            if asked in (name, str(number)):
                checkpoint = self._another(f"syscall:{asked}")
                if not wanted or self._times[f"syscall:{asked}"] in wanted:
                    reached.append(checkpoint)
        if name in EXIT_CALLS:
            reached.append(self._another("exit"))
        return reached

    def at_death(self) -> list[str]:
        """Return the checkpoint that a deadly signal is."""
        return [self._another("exit")]

    def _another(self, name: str) -> str:
        """Return what to call this pass of the checkpoint `name`."""
        self._times[name] += 1
        return name if self._times[name] == 1 else f"{name}#{self._times[name]}"

    @property
    def all_counted(self) -> bool:
        """Whether no system call is awaited by its number any more."""
        return self._calls >= max(self.plan.counted, default=0)


__all__ = ["EXIT_CALLS", "Passes", "StopPlan", "checkpoint_name", "plan_stops", "stop_at", "unreached_stops"]
