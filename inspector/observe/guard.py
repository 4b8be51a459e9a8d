"""The guard: what cleans up after a tool that was killed and could not.

Parent-death signals end gdb and the program when the tool dies, but not what those two have forked: a
program's own children, or the child that gdb makes for a moment at every attach to try ptrace out. The
guard is a shell that reads, from a pipe only this process can write to, which process groups are ours
right now, and by which mark (descendants.py) to tell who has left them. When the pipe ends without a word,
the tool is dead, and what is still on the list goes too.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading

# Each line is `+ GROUP MARK` or `- GROUP`; at the end of the pipe every group left is killed, and then, for
# as long as there is any, whatever bears the mark of one. A mark of 0 is none.
_SCRIPT = """
held=
while read -r sign group mark; do
    case $sign in
    +) held="$held $group:$mark" ;;
    -) kept=
       for each in $held; do [ "${each%:*}" = "$group" ] || kept="$kept $each"; done
       held=$kept ;;
    esac
done
for each in $held; do kill -KILL "-${each%:*}"; done
for each in $held; do
    mark=${each#*:} pass=0
    while [ "$mark" != 0 ] && [ $pass -lt 100 ]; do
        pass=$((pass + 1))
        found=$(grep -ls "^Max file locks  *$mark " /proc/[0-9]*/limits)
        [ "$found" ] || break  # not grep's word: it complains of processes that end meanwhile
        for file in $found; do
            process=${file#/proc/}
            kill -KILL "${process%/limits}"
        done
    done
done
"""


class _Guard:
    """One guard a process, there as long as it has something to guard."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._groups: set[int] = set()
        self._shell: subprocess.Popen[bytes] | None = None

    def protect(self, group: int, mark: int) -> None:
        with self._lock:
            if self._owner != os.getpid():
                # In a forked worker the inherited pipe is its parent's, which may outlive the worker.
                self._owner, self._groups, self._shell = os.getpid(), set(), None
            if self._shell is None:
                self._shell = _start()
            self._groups.add(group)
            self._tell(f"+ {group} {mark}")

    def release(self, group: int) -> None:
        with self._lock:
            if self._owner != os.getpid() or group not in self._groups:
                return
            self._groups.remove(group)
            self._tell(f"- {group}")
            if not self._groups and self._shell is not None:
                self._shell.communicate()
                self._shell = None

    def _tell(self, line: str) -> None:
        if self._shell is not None and self._shell.stdin is not None:
            with contextlib.suppress(OSError):
                self._shell.stdin.write(f"{line}\n".encode())


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - a script of our own
        ["/bin/sh", "-c", _SCRIPT, "inspector-guard"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        cwd="/",
        env={},
        start_new_session=True,  # what ends the tool's process group must not end its guard
    )


_guard = _Guard()


def protect(group: int, mark: int = 0) -> None:
    """Have process group `group`, and what bears `mark`, killed should this process die before `release`."""
    _guard.protect(group, mark)


def release(group: int) -> None:
    """Forget `group`: it has been reaped, and its number may soon be someone else's."""
    _guard.release(group)
