"""Executable files without a name: the launcher and the probe's programs run from them."""

from __future__ import annotations

import contextlib
import errno
import os

from inspector.errors import LaunchFailed

_MFD_EXEC = 0x10
"""include/uapi/linux/memfd.h; Linux 6.3 introduced it, and the sysctl vm.memfd_noexec with it."""
_ROOMS = ("/dev/shm", "/tmp", "/var/tmp")  # noqa: S108 - O_TMPFILE gives the file no name to guess


def anonymous_executable(contents: bytes) -> int:
    """Return a read-only descriptor of a file that has no name and can be executed.

    Raises LaunchFailed where this machine allows no such file.
    """
    writable = _writable_executable()
    try:
        with os.fdopen(os.dup(writable), "wb") as file:
            file.write(contents)
        # A file open for writing cannot be executed (ETXTBSY).
        return os.open(f"/proc/self/fd/{writable}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise LaunchFailed("/proc is not mounted", help="mount -t proc proc /proc") from error
    finally:
        os.close(writable)


def _writable_executable() -> int:
    """Return a new file in memory, or elsewhere where that may not be executed (vm.memfd_noexec)."""
    # MFD_EXEC asks for what is refused or granted by default; a kernel that does not know it grants it.
    for flags in (os.MFD_CLOEXEC | _MFD_EXEC, os.MFD_CLOEXEC):
        try:
            return os.memfd_create("launcher", flags)
        except OSError as error:
            if error.errno != errno.EINVAL:
                break
    for directory in _ROOMS:
        with contextlib.suppress(OSError):
            if not os.statvfs(directory).f_flag & os.ST_NOEXEC:
                return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o700)
    raise LaunchFailed(
        "no file can be made that may be executed: memory is forbidden, /dev/shm and /tmp are mounted noexec",
        help="allow one of them: sysctl vm.memfd_noexec=1, or mount -o remount,exec /dev/shm",
    )
