"""/proc/PID/stat: the process in numbers, on one line.

    4711 (a name) with ) in it) t 4700 ...

The name is whatever the program chose, parentheses, blanks and newlines included: it ends at the last
closing parenthesis. The fields after it are counted as proc_pid_stat(5) counts them, the state being 3.

Source: fs/proc/array.c:do_task_stat().
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from inspector.model.address import VirtAddr

_LAST_FIELD = 52
"""exit_code, there since Linux 3.5."""


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields that concern faults and the address space.

    To a reader who may not ptrace the process, the kernel shows `start_code` and `end_code` as 1 and
    every other address and `exit_code` as 0.
    """

    pid: int
    comm: str
    state: str
    ppid: int
    flags: int
    """The PF_ bits of include/linux/sched.h."""
    minflt: int
    """Minor faults of all threads since the process began; execve does not reset it."""
    majflt: int
    num_threads: int
    starttime_ticks: int
    """When it started, in clock ticks since boot: with the pid it names the process for good."""
    start_code: VirtAddr
    end_code: VirtAddr
    start_stack: VirtAddr
    start_data: VirtAddr
    end_data: VirtAddr
    start_brk: VirtAddr
    arg_start: VirtAddr
    arg_end: VirtAddr
    env_start: VirtAddr
    env_end: VirtAddr
    exit_code: int
    """As waitpid reports it; 0 while the process lives."""


def parse_stat(data: bytes) -> Stat:
    """Return the fields of `data`; ValueError if it is cut short or not of this form."""
    head, parenthesis, tail = data.rpartition(b")")
    pid, opening, comm = head.partition(b" (")
    words = tail.split()
    if not (parenthesis and opening) or len(words) < _LAST_FIELD - 2:
        msg = f"not /proc/PID/stat: {data!r}"
        raise ValueError(msg)

    def number(field: int) -> int:
        return int(words[field - 3])

    def address(field: int) -> VirtAddr:
        return VirtAddr(number(field))

    return Stat(
        pid=int(pid),
        comm=os.fsdecode(comm),
        state=words[0].decode("ascii"),
        ppid=number(4),
        flags=number(9),
        minflt=number(10),
        majflt=number(12),
        num_threads=number(20),
        starttime_ticks=number(22),
        start_code=address(26),
        end_code=address(27),
        start_stack=address(28),
        start_data=address(45),
        end_data=address(46),
        start_brk=address(47),
        arg_start=address(48),
        arg_end=address(49),
        env_start=address(50),
        env_end=address(51),
        exit_code=number(52),
    )
