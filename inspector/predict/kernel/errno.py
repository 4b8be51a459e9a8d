"""The kernel's error numbers as exceptions inside the simulator; none of them reaches a user."""

from __future__ import annotations

import enum
import errno


class Errno(enum.Enum):
    """The error names system calls give; the value is what the JSON contract prints."""

    E2BIG = "E2BIG"
    EACCES = "EACCES"
    EAGAIN = "EAGAIN"
    EBADF = "EBADF"
    ECHILD = "ECHILD"
    EEXIST = "EEXIST"
    EFAULT = "EFAULT"
    EFBIG = "EFBIG"
    EINTR = "EINTR"
    EINVAL = "EINVAL"
    EIO = "EIO"
    EISDIR = "EISDIR"
    ELIBBAD = "ELIBBAD"
    ELOOP = "ELOOP"
    EMFILE = "EMFILE"
    ENAMETOOLONG = "ENAMETOOLONG"
    ENODEV = "ENODEV"
    ENOENT = "ENOENT"
    ENOEXEC = "ENOEXEC"
    ENOMEM = "ENOMEM"
    ENOSYS = "ENOSYS"
    ENOTDIR = "ENOTDIR"
    ENOTTY = "ENOTTY"
    ENOTSOCK = "ENOTSOCK"
    ENXIO = "ENXIO"
    EOVERFLOW = "EOVERFLOW"
    EPERM = "EPERM"
    EPIPE = "EPIPE"
    ERANGE = "ERANGE"
    ESPIPE = "ESPIPE"
    ESRCH = "ESRCH"
    ETXTBSY = "ETXTBSY"

    @property
    def number(self) -> int:
        """What a system call returns, negated."""
        return int(getattr(errno, self.value))


_OF_THE_CALLER = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def errno_of(error: OSError) -> Errno | None:
    """Return what a simulated call answers where ours, about the same file, failed with `error`.

    None: there is no such answer, or it is about this process and this moment, and not about the file.
    """
    name = errno.errorcode.get(error.errno or 0, "")
    if error.errno in _OF_THE_CALLER or name not in Errno.__members__:
        return None
    return Errno(name)


class KernelError(Exception):
    """A simulated kernel function returned `-errno`; `rule` says what decided, where one does."""

    def __init__(self, error: Errno, rule: str | None = None) -> None:
        """`rule` is an id of the catalogue."""
        super().__init__(error.value)
        self.errno = error
        self.rule = rule
