"""The MachineProfile kept on disk: probed once, then read at the start of every command.

A cached profile is a profile document with two members more, so that `--profile` takes it too:

    {"crc32":"0a1b2c3d","probed_for":[...],"schema":"inspector.profile/2",...}
                      |<------------ what the checksum is made over ------------>|

`probed_for` are the facts the probe's answers hang on. A file whose facts are not those of this moment,
or whose checksum is wrong, is probed again and replaced; what passes is what was written here, and is
taken without looking at each member again.
"""

from __future__ import annotations

import contextlib
import os
import stat
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.observe.binfmt_misc import registered
from inspector.observe.memory import ram_bytes, swap_bytes
from inspector.observe.system import system_names

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

_PREFIX = b'{"crc32":"'
_CHECKSUM_AT = slice(len(_PREFIX), len(_PREFIX) + 8)
_LARGEST_BYTES = 1 << 20
_KEPT_PROFILES = 8
"""A profile is never used again after its boot; a home directory may be shared by some machines."""

_PROC_SYS = "/proc/sys"
_BOOT_ID = "kernel/random/boot_id"
_SYSCTLS = (
    "vm/legacy_va_layout",  # bottom-up or top-down mmap
    "vm/mmap_min_addr",
    "vm/overcommit_memory",
    "vm/max_map_count",
    "abi/vsyscall32",  # whether an i386 program gets a vdso, on a 64-bit kernel
    "vm/vdso_enabled",  # the same, on a 32-bit one
)
"""Settings under /proc/sys that can change while the machine runs."""
_PROBING_MODULES = (
    *("probe.py", "probe_programs.py", "anonymous.py", "launch.py", "launcher.py", "ptrace.py"),
    *("processor.py", "paging.py", "areas.py", "clock.py", "signal_frame.py", "snapshot.py"),
    *("tiny_elf.py", "tiny_process.py"),
)
"""What a profile of this boot was taken by: a mended probe must not be answered from before."""


def current_profile(*, probe_again: bool = False) -> MachineProfile:
    """Return the profile of this machine as it is now: from the cache, or probed and put there.

    With `probe_again` the cache is not read, only replaced; if it cannot be read or written, it is as good as
    none. Raises what `probe_profile` raises.
    """
    facts = _facts()
    path = _cache_path(facts)
    cached = None if path is None or probe_again else _load(path, facts)
    if cached is not None:
        return cached
    from inspector.observe.probe import probe_profile

    profile = probe_profile()
    if path is not None:
        _store(path, facts, profile)
    return profile


def load_profile(path: str) -> MachineProfile:
    """Return the profile saved in file `path`, of any machine. Raises BadDocument."""
    from inspector.model.document import parse_profile
    from inspector.model.saving import read_document

    return parse_profile(read_document(path), path)


def save_profile(path: str, profile: MachineProfile) -> None:
    """Save `profile` as file `path`. Raises CannotSave, and leaves the old file whole."""
    from inspector.model.document import profile_document
    from inspector.model.saving import save_atomically

    save_atomically(path, profile_document(profile) + b"\n")


def _facts() -> list[str]:
    """Return all that `probe_profile` depends on and that can differ from one call to the next.

    The user does not matter, nor this process's personality: the probe sets its own. But a personality
    can change what uname says. Empty where the boot has no name: nothing would tell it from the next one.
    """
    boot_id = _sysctl(_BOOT_ID)
    if not boot_id:
        return []
    system = os.uname()
    return [
        boot_id,
        *(_stamp(module) for module in _PROBING_MODULES),
        system.release,
        system.machine,
        *(f"{name}={_sysctl(name)}" for name in _SYSCTLS),
    ]


def _stamp(module: str) -> str:
    """Return what changes when a module beside this one is edited or upgraded."""
    try:
        status = os.stat(os.path.join(os.path.dirname(__file__), module))  # noqa: PTH116, PTH118, PTH120
    except OSError:
        return module
    return f"{module} {status.st_size} {status.st_mtime_ns}"


def _sysctl(name: str) -> str:
    """Return the setting, or nothing where this kernel has or shows none."""
    try:
        descriptor = os.open(f"{_PROC_SYS}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 100).decode("ascii", "replace").strip()
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _cache_path(facts: list[str]) -> str | None:
    """Return the file that a profile for `facts` is kept in, or None where there is no place for it."""
    if not facts:
        return None
    home = os.environ.get("XDG_CACHE_HOME", "")
    if not home.startswith("/"):  # the specification tells to ignore a relative path
        user = os.environ.get("HOME", "")
        # Of a system account (/nonexistent) none is made.
        if not user.startswith("/") or not os.path.isdir(user):  # noqa: PTH112
            return None
        home = f"{user}/.cache"
    if os.geteuid() == 0 and _owner_of_nearest(home) != 0:
        # sudo with the user's HOME: root's files there would shut the user out.
        return None
    return f"{home}/inspector/profile-{zlib.crc32(_canonical(facts)):08x}.json"


def _owner_of_nearest(path: str) -> int:
    """Return who owns `path`, or its nearest ancestor that exists; -1 if that cannot be told."""
    while True:
        try:
            return os.stat(path).st_uid  # noqa: PTH116
        except FileNotFoundError:
            path = os.path.dirname(path)  # noqa: PTH120
        except (OSError, ValueError):
            return -1


def _canonical(facts: list[str]) -> bytes:
    return "\n".join(facts).encode("utf-8", "surrogateescape")


def _load(path: str, facts: list[str]) -> MachineProfile | None:
    """Return the profile cached in `path`, or None if the file is not ours, not for `facts` or not whole."""
    try:
        data = _read(path)
    except (OSError, ValueError):
        return None
    checksum, rest = data[_CHECKSUM_AT], data[_CHECKSUM_AT.stop :]
    if not data.startswith(_PREFIX) or checksum != b"%08x" % zlib.crc32(rest):
        return None
    import json

    from inspector.model.document.plain_profile import profile_from_plain

    try:
        document = json.loads(data)
        if document["probed_for"] != facts:
            return None
        # Memory, swap and handlers can be added or taken away at any time; a node can be given another name.
        return replace(
            profile_from_plain(document),
            ram_bytes=ram_bytes(),
            swap_bytes=swap_bytes(),
            binfmt_misc=registered(),
            system=system_names(),
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return b""
        return os.read(descriptor, _LARGEST_BYTES)
    finally:
        os.close(descriptor)


def _store(path: str, facts: list[str], profile: MachineProfile) -> None:
    import json

    from inspector.errors import CannotSave
    from inspector.model.document import profile_document
    from inspector.model.saving import save_atomically

    rest = b'","probed_for":' + json.dumps(facts).encode() + b"," + profile_document(profile)[1:] + b"\n"
    data = _PREFIX + b"%08x" % zlib.crc32(rest) + rest
    directory = os.path.dirname(path)  # noqa: PTH120
    with contextlib.suppress(OSError, ValueError, CannotSave):
        os.makedirs(directory, mode=0o700, exist_ok=True)  # noqa: PTH103
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                os.unlink(path)  # noqa: PTH108 - a FIFO would be written to, and waited for
        save_atomically(path, data, durable=False)
        _forget_old(directory)


def _forget_old(directory: str) -> None:
    """Keep the profiles last written; the others are of past boots."""
    with os.scandir(directory) as entries:
        dated = [
            (entry.stat(follow_symlinks=False).st_mtime_ns, entry.path)
            for entry in entries
            if entry.name.startswith("profile-") and entry.name.endswith(".json")
        ]
    for _, path in sorted(dated, reverse=True)[_KEPT_PROFILES:]:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108
