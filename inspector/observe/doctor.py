"""What this machine allows, and how to mend each thing that it does not.

Every check is a function from a Machine to a Check. A Machine is all they may look at, so that tests can
give them one that lacks what ours has. A check that meets the unexpected says that it could not judge.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import InspectorError
from inspector.language import N_, tr, tr_error
from inspector.model.program import Personality
from inspector.observe.damon import THREADS
from inspector.observe.machine import Machine
from inspector.observe.terminal import DEVPTS_FIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PRESENT = 1 << 63
_PFN = (1 << 55) - 1
_CAP_SYS_PTRACE, _CAP_SYS_ADMIN, _CAP_PERFMON = 19, 21, 38
_PARANOID_OF_KERNEL = 1
"""The highest perf_event_paranoid at which anyone is told of kernel mode (perf_allow_kernel())."""
_TRACEFS = "/sys/kernel/tracing"
_OLDEST_PYTHON = (3, 11)
_X86 = frozenset({"x86_64", "i386", "i486", "i586", "i686"})
_GVISOR_BUILD = "#1 SMP Sun Jan 10 15:06:54 PST 2016"
"""What gVisor has always answered for the kernel's build (pkg/sentry/kernel/version.go)."""
_CONTAINER_FIX = N_("in a container: --cap-add=SYS_PTRACE --security-opt seccomp=unconfined")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing the tool would like to do here."""

    name: str
    ok: bool | None
    """None: could not be judged."""
    detail: str
    fix: str = ""
    """What to do where it is not allowed, in one line."""
    needed: bool = True
    """Whether `inspector check` depends on it; the rest shows more, or only builds the fixtures."""


def examine(machine: Machine | None = None) -> Iterator[Check]:
    """Yield what each check finds. Nothing is raised: a check that fails to judge says so."""
    machine = machine or Machine()
    for name, check in _CHECKS:
        try:
            yield check(name, machine)
        except Exception as error:  # noqa: BLE001 - a machine odd enough to surprise us is what this is for
            yield Check(
                name,
                None,
                tr("could not be judged ({reason})").format(reason=f"{type(error).__name__}: {error}"),
            )


def can_check(checks: list[Check]) -> bool:
    """Whether nothing that `inspector check` needs is known to be missing."""
    return not any(check.needed and check.ok is False for check in checks)


def _linux(name: str, machine: Machine) -> Check:
    system, release, architecture = machine.uname()
    ok = system == "Linux" and architecture in _X86
    fix = "" if ok else tr("run it on Linux on an x86 processor, a virtual machine for one")
    return Check(name, ok, f"{system} {release} {architecture}", fix)


def _python(name: str, machine: Machine) -> Check:
    del machine
    import platform
    import sys

    ok = sys.version_info >= _OLDEST_PYTHON
    return Check(name, ok, platform.python_version(), "" if ok else tr("install Python 3.11 or newer"))


def _proc(name: str, machine: Machine) -> Check:
    if machine.read("/proc/self/status"):
        return Check(name, True, tr("mounted"))
    return Check(name, False, tr("not mounted, or not to be read"), "mount -t proc proc /proc")


def _emulator(name: str, machine: Machine) -> Check:
    """Tell a kernel of its own from something that plays one: what is observed there is the player."""
    _, release, _ = machine.uname()
    player = _player(machine)
    if player is not None:
        return Check(name, False, *player)
    if machine.read("/proc/version") is None and machine.read("/proc/cpuinfo") is None:
        return Check(name, None, tr("neither /proc/version nor /proc/cpuinfo is readable"))
    if "WSL2" in release or "microsoft-standard" in release:
        return Check(name, True, tr("WSL 2: a Linux kernel of its own"))
    return Check(name, True, tr("none seen: no qemu-user, Rosetta, gVisor or WSL 1"))


def _player(machine: Machine) -> tuple[str, str] | None:
    """Return who plays the kernel here, and what to do about it; None if nobody shows."""
    version, processor = machine.read("/proc/version") or "", machine.read("/proc/cpuinfo") or ""
    _, release, architecture = machine.uname()
    elsewhere = tr("run it on an x86 machine, or in a full virtual machine (qemu-system-x86_64)")
    # Rosetta answers /proc/cpuinfo itself; under qemu-user it is the host's, with the words of its processor.
    foreign = "CPU implementer" in processor or "\nisa\t" in processor
    foreign = foreign or machine.platform().startswith(("aarch64", "arm", "riscv"))
    if "VirtualApple" in processor:
        return tr("Rosetta translates this process"), elsewhere
    if foreign and architecture in _X86:
        return tr("qemu-user plays an {architecture} here").format(architecture=architecture), elsewhere
    if _GVISOR_BUILD in version:
        return tr("gVisor plays the kernel"), tr("run the container with the runtime runc")
    if release.endswith("-Microsoft"):
        return tr("WSL 1 has no Linux kernel"), "wsl --set-version DISTRIBUTION 2"
    return None


def _container(name: str, machine: Machine) -> Check:
    signs = {
        "docker": machine.exists("/.dockerenv"),
        "podman": machine.exists("/run/.containerenv"),
        machine.environment.get("container", ""): bool(machine.environment.get("container")),
    }
    cgroup = machine.read("/proc/self/cgroup") or ""
    signs |= {word: word in cgroup for word in ("docker", "kubepods", "containerd", "lxc") if word in cgroup}
    for line in (machine.read("/proc/self/mounts") or "").splitlines():
        fields = line.split(" ")
        if fields[1:3] == ["/", "overlay"]:
            signs[tr("root on an overlay")] = True
    found = tr(", ").join(word for word, seen in signs.items() if seen)
    return Check(name, True, found or tr("no sign of one"), needed=False)


def _gdb(name: str, machine: Machine) -> Check:
    from inspector.observe.gdb.process import GDB_VARIABLE, find_gdb
    from inspector.observe.gdb.requirements import OLDEST, parse_version

    try:
        path = find_gdb(machine.environment.get(GDB_VARIABLE))
    except InspectorError as error:
        return Check(name, False, tr_error(str(error)), tr_error(error.help or ""))
    status, text = machine.run([path, "--nx", "--version"])
    version = parse_version(text)
    if status or version is None:
        return Check(
            name,
            False,
            tr("{path} does not tell its version").format(path=path),
            tr("name another with {variable}").format(variable=GDB_VARIABLE),
        )
    shown = "{}.{}".format(*version)
    if version < OLDEST:
        return Check(
            name,
            False,
            tr("{path} is version {version}").format(path=path, version=shown),
            tr("install gdb {}.{} or newer").format(*OLDEST),
        )
    named = (
        N_("{version}, {path}, by {variable}")
        if machine.environment.get(GDB_VARIABLE)
        else N_("{version}, {path}")
    )
    return Check(name, True, tr(named).format(version=shown, path=path, variable=GDB_VARIABLE))


def _compiler(name: str, machine: Machine) -> Check:
    said = tr("no gcc, clang or zig on PATH")
    for words in ((machine.environment.get("CC") or "gcc", "-m32"), ("clang", "-m32"), _ZIG):
        if machine.which(words[0]) is None:
            continue
        linked, text = machine.links_i386(words)
        if linked:
            return Check(name, True, " ".join(words), needed=False)
        said = tr("{command} cannot link: {reason}").format(
            command=" ".join(words), reason=(text.strip().splitlines() or ["?"])[0]
        )
    fix = (
        "apt install gcc-multilib; dnf install gcc glibc-static.i686; pacman -S gcc lib32-glibc; apk add zig"
    )
    return Check(name, False, said, fix, needed=False)


_ZIG = ("zig", "cc", "-target", "x86-linux-musl")


def _ia32(name: str, machine: Machine) -> Check:
    error = machine.run_i386()
    if error is None:
        return Check(name, True, tr("a small program of our own ran"))
    fix = tr("boot with ia32_emulation=on, or a kernel built with CONFIG_IA32_EMULATION")
    if error.errno != errno.ENOEXEC:
        fix = tr("allow this user to run programs from memory (memfd_create, /proc/PID/fd)")
    return Check(name, False, f"execve{tr(': ')}{os.strerror(error.errno or 0)}", fix)


def _ptrace(name: str, machine: Machine) -> Check:
    """Try it, then name what may be in the way: Yama's scope, a seccomp filter."""
    scope = (machine.read("/proc/sys/kernel/yama/ptrace_scope") or "").strip()
    filtered = _status_field(machine, "Seccomp") not in {"", "0"}
    facts = [
        f"yama ptrace_scope {scope}" if scope else tr("no Yama"),
        tr("seccomp filter") if filtered else tr("no seccomp"),
    ]
    error = machine.stop_at_exec()
    if error is None:
        return Check(
            name, True, tr("a program was stopped at exec ({facts})").format(facts=tr(", ").join(facts))
        )
    fix = tr_error(error.help or "")
    if scope in {"2", "3"} and not _capable(machine, _CAP_SYS_PTRACE):
        fix = "sysctl kernel.yama.ptrace_scope=1"
        if scope == "3":
            fix = tr("sysctl kernel.yama.ptrace_scope=1 from a reboot on: 3 cannot be undone")
    elif filtered:
        fix = tr(_CONTAINER_FIX)
    said = tr("{error} ({facts})").format(error=tr_error(str(error)), facts=tr(", ").join(facts))
    return Check(name, False, said, fix)


def _attach(name: str, machine: Machine) -> Check:
    error = machine.attach_gdb()
    if error is None:
        return Check(name, True, tr("gdb attached to a program and read its registers"))
    return Check(name, False, tr_error(str(error)), tr_error(error.help or ""))


def _pagemap(name: str, machine: Machine) -> Check:
    entry = machine.own_pagemap_entry()
    if entry is None or not entry & _PRESENT:
        return Check(
            name, False, tr("not readable"), tr("needs /proc and a kernel with CONFIG_PROC_PAGE_MONITOR")
        )
    return Check(name, True, tr("readable"))


def _frames(name: str, machine: Machine) -> Check:
    entry = machine.own_pagemap_entry() or 0
    if entry & _PFN:
        return Check(name, True, tr("visible"), needed=False)
    return Check(
        name, False, tr('hidden: shown as "may not look"'), tr("run as root (CAP_SYS_ADMIN)"), needed=False
    )


def _page_flags(name: str, machine: Machine) -> Check:
    if machine.sees_page_flags():
        return Check(name, True, tr("readable: large folios of files are seen"), needed=False)
    fix = tr("run as root (CAP_SYS_ADMIN), on a kernel with CONFIG_PROC_PAGE_MONITOR")
    return Check(name, False, tr("not readable: large folios of files are not seen"), fix, needed=False)


def _pagemap_scan(name: str, machine: Machine) -> Check:
    if machine.scans_pagemap():
        return Check(name, True, tr("answered"), needed=False)
    fix = tr("Linux 6.7 or newer; without it the zero page is told apart only by root")
    return Check(name, False, tr("not answered"), fix, needed=False)


def _perf(name: str, machine: Machine) -> Check:
    level = (machine.read("/proc/sys/kernel/perf_event_paranoid") or "").strip()
    if not level and machine.read("/proc/version") is None:
        return Check(name, None, tr("/proc is not readable"), needed=False)
    if not level:
        return Check(
            name, False, tr("none in this kernel"), tr("a kernel with CONFIG_PERF_EVENTS"), needed=False
        )
    privileged = _capable(machine, _CAP_PERFMON) or _capable(machine, _CAP_SYS_ADMIN)
    error = machine.perf_error()
    shown = f"perf_event_paranoid {level}{tr(', ') + 'CAP_PERFMON' if privileged else ''}"
    if error:
        fix = tr(_CONTAINER_FIX) if int(level) < 3 else "sysctl kernel.perf_event_paranoid=1"  # noqa: PLR2004
        return Check(
            name,
            False,
            tr("{error} ({facts})").format(error=os.strerror(error), facts=shown),
            fix,
            needed=False,
        )
    if privileged or int(level) <= _PARANOID_OF_KERNEL:
        return Check(name, True, tr("faults of user and kernel ({facts})").format(facts=shown), needed=False)
    fix = tr("sysctl kernel.perf_event_paranoid=1, or setcap cap_perfmon+ep on the Python")
    return Check(name, False, tr("faults of user mode only ({facts})").format(facts=shown), fix, needed=False)


def _tracefs(name: str, machine: Machine) -> Check:
    refusal = machine.tracefs_refusal()
    if refusal is None:
        mounted = machine.exists(f"{_TRACEFS}/events/exceptions")
        detail = (
            tr("mounted at {path}").format(path=_TRACEFS)
            if mounted
            else tr("not mounted, but read through a mount of our own")
        )
        return Check(name, True, detail, needed=False)
    filesystems = machine.read("/proc/filesystems")
    if filesystems is None:
        return Check(name, None, tr("/proc/filesystems is not readable"), needed=False)
    if "tracefs" not in filesystems:
        return Check(name, False, tr("none in this kernel"), tr("a kernel with CONFIG_FTRACE"), needed=False)
    fix = tr("run as root: it tells reads, writes and instruction fetches apart")
    return Check(
        name, False, tr("not to be read by this user: {reason}").format(reason=refusal), fix, needed=False
    )


def _aslr(name: str, machine: Machine) -> Check:
    wanted = Personality.ADDR_NO_RANDOMIZE | Personality.ADDR_LIMIT_3GB
    if machine.sets_personality(wanted):
        return Check(name, True, tr("personality(ADDR_NO_RANDOMIZE, ADDR_LIMIT_3GB) allowed"))
    return Check(name, False, tr("personality(2) is refused"), tr(_CONTAINER_FIX))


def _memory(name: str, machine: Machine) -> Check:
    error = machine.memory_refusal()
    if error is None:
        return Check(name, True, tr("as much as an i386 program can address"))
    return Check(name, False, tr_error(str(error)), tr_error(error.help or ""))


def _reclaim(name: str, machine: Machine) -> Check:
    """Look for DAMON, which locks and pages out idle memory, mapped or not (rule `fault.passed-over`)."""
    found = [each for each in machine.process_names() if each.startswith(THREADS)]
    if not found:
        return Check(name, True, tr("nothing seen that takes idle memory away"), needed=False)
    detail = tr(
        "{thread} does: once in many runs, a page takes a fault of its own, which is then explained"
    ).format(thread=found[0])
    fix = tr("echo off > /sys/kernel/mm/damon/admin/kdamonds/0/state; or run the check again")
    return Check(name, False, detail, fix, needed=False)


def _terminal(name: str, machine: Machine) -> Check:
    note = machine.terminal_note()
    if note is None:
        return Check(name, True, tr("programs write to one of their own"), needed=False)
    return Check(name, False, tr_error(note), tr_error(DEVPTS_FIX), needed=False)


def _tmpfs(name: str, machine: Machine) -> Check:
    place, note = machine.staging()
    if note is None:
        return Check(name, True, tr("programs are staged below {place}").format(place=place), needed=False)
    fix = tr("mount -o remount,rw,exec /dev/shm, or set XDG_RUNTIME_DIR to a tmpfs without ro and noexec")
    return Check(name, False, tr_error(note), fix, needed=False)


def _status_field(machine: Machine, name: str) -> str:
    for line in (machine.read("/proc/self/status") or "").splitlines():
        field, _, value = line.partition(":")
        if field == name:
            return value.strip()
    return ""


def _capable(machine: Machine, capability: int) -> bool:
    return bool(int(_status_field(machine, "CapEff") or "0", 16) >> capability & 1)


_CHECKS: tuple[tuple[str, Callable[[str, Machine], Check]], ...] = (
    ("Linux", _linux),
    ("Python", _python),
    ("/proc", _proc),
    (N_("emulation"), _emulator),
    (N_("container"), _container),
    ("gdb", _gdb),
    (N_("compiler -m32"), _compiler),
    (N_("i386 programs"), _ia32),
    ("ptrace", _ptrace),
    (N_("gdb attach"), _attach),
    (N_("ASLR control"), _aslr),
    (N_("memory limits"), _memory),
    ("pagemap", _pagemap),
    (N_("page frames"), _frames),
    ("kpageflags", _page_flags),
    ("PAGEMAP_SCAN", _pagemap_scan),
    ("tmpfs", _tmpfs),
    (N_("idle memory"), _reclaim),
    (N_("terminal"), _terminal),
    (N_("perf events"), _perf),
    ("tracefs", _tracefs),
)
