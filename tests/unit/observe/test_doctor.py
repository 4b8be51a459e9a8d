"""The doctor on machines that are not this one."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from inspector.errors import CannotObserve, GdbDied, InspectorError, LaunchFailed
from inspector.observe.doctor import Check, can_check, examine
from inspector.observe.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PRESENT, PFN = 1 << 63, 0x1234
STATUS = "Name:\tpython\nSeccomp:\t0\nCapEff:\t000001ffffffffff\n"
UNPRIVILEGED = "Name:\tpython\nSeccomp:\t2\nCapEff:\t0000000000000000\n"


@dataclass
class Fake(Machine):
    """A machine that allows everything, but for what a test says."""

    files: Mapping[str, str] = field(
        default_factory=lambda: {
            "/proc/version": "Linux version 6.18.0",
            "/proc/cpuinfo": "vendor_id\t: GenuineIntel\n",
            "/proc/self/status": STATUS,
            "/proc/sys/kernel/perf_event_paranoid": "2\n",
            "/proc/filesystems": "nodev\ttracefs\n",
        }
    )
    system: tuple[str, str, str] = ("Linux", "6.18.0", "x86_64")
    environment: Mapping[str, str] = field(default_factory=lambda: {"INSPECTOR_GDB": "/bin/sh"})
    programs: frozenset[str] = frozenset({"gcc"})
    gdb_says: tuple[int, str] = (0, "GNU gdb (Debian 13.1-3) 13.1\n")
    links: tuple[bool, str] = (True, "")
    i386: OSError | None = None
    exec_stop: InspectorError | None = None
    attach: InspectorError | None = None
    entry: int | None = PRESENT | PFN
    scans: bool = True
    personality: bool = True
    perf: int | None = 0
    tracefs: str | None = None
    at_platform: str = "x86_64"
    memory: InspectorError | None = None
    terminal: str | None = None
    page_flags: bool = True
    staged: tuple[str, str | None] = ("/dev/shm/inspector-0", None)  # noqa: S108

    names: tuple[str, ...] = ("systemd", "kswapd0")

    def uname(self) -> tuple[str, str, str]:
        return self.system

    def process_names(self) -> list[str]:
        return list(self.names)

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def exists(self, path: str) -> bool:
        return path in self.files

    def which(self, program: str) -> str | None:
        return program if program in self.programs else None

    def run(self, command: Sequence[str], stdin: str = "") -> tuple[int, str]:
        del command, stdin
        return self.gdb_says

    def links_i386(self, compiler: Sequence[str]) -> tuple[bool, str]:
        del compiler
        return self.links

    def run_i386(self) -> OSError | None:
        return self.i386

    def stop_at_exec(self) -> InspectorError | None:
        return self.exec_stop

    def attach_gdb(self) -> InspectorError | None:
        return self.attach

    def own_pagemap_entry(self) -> int | None:
        return self.entry

    def scans_pagemap(self) -> bool:
        return self.scans

    def sets_personality(self, bits: int) -> bool:
        del bits
        return self.personality

    def perf_error(self) -> int | None:
        return self.perf

    def tracefs_refusal(self) -> str | None:
        return self.tracefs

    def platform(self) -> str:
        return self.at_platform

    def memory_refusal(self) -> InspectorError | None:
        return self.memory

    def terminal_note(self) -> str | None:
        return self.terminal

    def sees_page_flags(self) -> bool:
        return self.page_flags

    def staging(self) -> tuple[str, str | None]:
        return self.staged


def with_files(**changes: str | None) -> dict[str, str]:
    """Return the files of a machine with some of them changed, by the last part of their path, or gone."""
    files = dict(Fake().files)
    paths = {path.rpartition("/")[2]: path for path in files} | PLACES
    for name, text in changes.items():
        if text is None:
            del files[paths[name]]
        else:
            files[paths[name]] = text
    return files


PLACES = {
    "ptrace_scope": "/proc/sys/kernel/yama/ptrace_scope",
    "dockerenv": "/.dockerenv",
    "cgroup": "/proc/self/cgroup",
    "mounts": "/proc/self/mounts",
    "exceptions": "/sys/kernel/tracing/events/exceptions",
}


def check(machine: Machine, name: str) -> Check:
    return next(found for found in examine(machine) if found.name == name)


def test_a_machine_that_allows_everything_needs_no_fix() -> None:
    checks = list(examine(Fake()))
    assert [found for found in checks if found.ok is not True or found.fix] == []
    assert can_check(checks)


CASES: list[tuple[str, Fake, bool | None, str, str]] = [
    ("Linux", Fake(system=("Darwin", "24.0", "arm64")), False, "Darwin 24.0 arm64", "Linux on an x86"),
    ("Linux", Fake(system=("Linux", "6.1", "aarch64")), False, "aarch64", "Linux on an x86"),
    ("emulation", Fake(files=with_files(cpuinfo="model name\t: VirtualApple")), False, "Rosetta", "x86"),
    ("emulation", Fake(files=with_files(cpuinfo="CPU implementer\t: 0x61")), False, "qemu-user", "qemu-s"),
    ("emulation", Fake(at_platform="aarch64"), False, "qemu-user plays an x86_64", "qemu-system"),
    (
        "emulation",
        Fake(files=with_files(version="Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016")),
        False,
        "gVisor",
        "runc",
    ),
    ("emulation", Fake(system=("Linux", "4.4.0-19041-Microsoft", "x86_64")), False, "WSL 1", "--set-version"),
    ("emulation", Fake(system=("Linux", "5.15.0-microsoft-standard-WSL2", "x86_64")), True, "WSL 2", ""),
    ("/proc", Fake(files={}), False, "not mounted", "mount -t proc"),
    ("emulation", Fake(files={}), None, "/proc/version", ""),
    ("perf events", Fake(files={}), None, "/proc is not readable", ""),
    ("tracefs", Fake(files={}, tracefs="EPERM"), None, "/proc/filesystems", ""),
    ("container", Fake(files=with_files(dockerenv="")), True, "docker", ""),
    ("container", Fake(files=with_files(cgroup="0::/kubepods/pod1")), True, "kubepods", ""),
    ("container", Fake(files=with_files(mounts="overlay / overlay rw")), True, "root on an overlay", ""),
    ("container", Fake(environment={"container": "podman"}), True, "podman", ""),
    ("gdb", Fake(environment={"INSPECTOR_GDB": "/nonexistent"}), False, "/nonexistent", "install"),
    ("gdb", Fake(gdb_says=(0, "GNU gdb (GDB) Red Hat Enterprise Linux 8.2-20.el8\n")), False, "8.2", "newer"),
    ("gdb", Fake(gdb_says=(127, "no libpython")), False, "does not tell", "INSPECTOR_GDB"),
    ("compiler -m32", Fake(programs=frozenset()), False, "no gcc", "gcc-multilib"),
    ("compiler -m32", Fake(links=(False, "cannot find -lc\n")), False, "cannot find -lc", "gcc-multilib"),
    ("compiler -m32", Fake(programs=frozenset({"zig"})), True, "zig cc -target", ""),
    ("i386 programs", Fake(i386=OSError(errno.ENOEXEC, "")), False, "Exec format error", "ia32_emulation=on"),
    ("i386 programs", Fake(i386=OSError(errno.EACCES, "")), False, "Permission denied", "memfd_create"),
    (
        "ptrace",
        Fake(
            files=with_files(ptrace_scope="2\n", status=UNPRIVILEGED.replace("Seccomp:\t2", "Seccomp:\t0")),
            exec_stop=LaunchFailed("it may not be traced"),
        ),
        False,
        "yama ptrace_scope 2",
        "kernel.yama.ptrace_scope=1",
    ),
    (
        "ptrace",
        Fake(files=with_files(ptrace_scope="3\n", status=UNPRIVILEGED), exec_stop=LaunchFailed("no")),
        False,
        "yama ptrace_scope 3",
        "3 cannot be undone",
    ),
    (
        "ptrace",
        Fake(files=with_files(status=UNPRIVILEGED), exec_stop=LaunchFailed("it may not be traced")),
        False,
        "seccomp filter",
        "seccomp=unconfined",
    ),
    ("gdb attach", Fake(attach=GdbDied("gdb died", help="another")), False, "gdb died", "another"),
    ("ASLR control", Fake(personality=False), False, "refused", "seccomp=unconfined"),
    ("pagemap", Fake(entry=None), False, "not readable", "CONFIG_PROC_PAGE_MONITOR"),
    ("page frames", Fake(entry=PRESENT), False, "hidden", "root"),
    ("PAGEMAP_SCAN", Fake(scans=False), False, "not answered", "6.7"),
    ("kpageflags", Fake(page_flags=False), False, "large folios", "root"),
    (
        "memory limits",
        Fake(memory=CannotObserve("the hard limit of data is 1 byte", help="ulimit -Hd")),
        False,
        "limit of data",
        "ulimit -Hd",
    ),
    ("terminal", Fake(terminal="no pseudo-terminal"), False, "no pseudo-terminal", "mount -t devpts"),
    ("tmpfs", Fake(staged=("/tmp", "no tmpfs to stage programs on")), False, "no tmpfs", "remount,rw,exec"),  # noqa: S108
    ("perf events", Fake(files=with_files(perf_event_paranoid=None)), False, "none", "CONFIG_PERF_EVENTS"),
    ("perf events", Fake(perf=errno.EACCES), False, "Permission denied", "seccomp=unconfined"),
    (
        "perf events",
        Fake(perf=errno.EACCES, files=with_files(perf_event_paranoid="4\n", status=UNPRIVILEGED)),
        False,
        "perf_event_paranoid 4",
        "perf_event_paranoid=1",
    ),
    ("perf events", Fake(files=with_files(status=UNPRIVILEGED)), False, "user mode only", "paranoid=1"),
    (
        "perf events",
        Fake(files=with_files(status=UNPRIVILEGED, perf_event_paranoid="1\n")),
        True,
        "user and kernel",
        "",
    ),
    ("tracefs", Fake(files=with_files(exceptions="")), True, "mounted at /sys/kernel/tracing", ""),
    ("tracefs", Fake(), True, "mount of our own", ""),
    ("tracefs", Fake(tracefs="x", files=with_files(filesystems="nodev\tproc\n")), False, "none", "FTRACE"),
    ("idle memory", Fake(), True, "nothing seen", ""),
    ("idle memory", Fake(names=("kdamond.0",)), False, "kdamond.0", "kdamonds/0/state"),
    ("tracefs", Fake(tracefs="Permission denied"), False, "Permission denied", "run as root"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "machine", "ok", "detail", "fix"),
    CASES,
    ids=[f"{name}: {detail}" for name, _, _, detail, _ in CASES],
)
def test_each_thing_not_allowed_has_one_line_with_its_fix(
    name: str, machine: Fake, ok: bool | None, detail: str, fix: str
) -> None:
    found = check(machine, name)
    assert found.ok is ok
    assert detail in found.detail
    assert fix in found.fix
    assert bool(found.fix) is bool(fix)
    assert "\n" not in found.detail + found.fix


NEEDED = {
    "Linux",
    "Python",
    "/proc",
    "emulation",
    "gdb",
    "i386 programs",
    "ptrace",
    "gdb attach",
    "ASLR control",
    "memory limits",
    "pagemap",
}


def test_check_can_run_without_what_only_shows_more() -> None:
    assert {found.name for found in examine(Fake()) if found.needed} == NEEDED
    poor = Fake(entry=PRESENT, scans=False, perf=errno.EACCES, staged=("/", "none"), links=(False, ""))
    poor.page_flags, poor.terminal = False, "none"
    assert can_check(list(examine(poor)))
    assert not can_check(list(examine(Fake(personality=False))))


class Bare(Machine):
    """A machine on which every look ends in an error nobody thought of."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)


def test_nothing_makes_the_doctor_fail() -> None:
    checks = list(examine(Bare()))
    assert len(checks) == len(list(examine(Fake())))
    assert all(found.ok is None for found in checks if found.name != "Python")


def test_without_proc_it_says_what_it_cannot_judge() -> None:
    bare = Fake(files={}, entry=None, perf=None, scans=False)
    checks = {found.name: found for found in examine(bare)}
    assert checks["/proc"].ok is False
    assert checks["emulation"].ok is None
    assert checks["pagemap"].ok is False
    assert checks["ptrace"].ok is True
