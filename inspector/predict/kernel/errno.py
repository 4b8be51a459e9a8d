"""The kernel's error numbers as exceptions inside the simulator; none of them reaches a user."""

from __future__ import annotations

import enum


class Errno(enum.Enum):
    """The error names execve and mmap give; the value is what the JSON contract prints."""

    E2BIG = "E2BIG"
    EACCES = "EACCES"
    EEXIST = "EEXIST"
    EFAULT = "EFAULT"
    EINVAL = "EINVAL"
    EIO = "EIO"
    ELIBBAD = "ELIBBAD"
    ELOOP = "ELOOP"
    ENAMETOOLONG = "ENAMETOOLONG"
    ENOENT = "ENOENT"
    ENOEXEC = "ENOEXEC"
    ENOMEM = "ENOMEM"
    ENOTDIR = "ENOTDIR"
    EPERM = "EPERM"


class KernelError(Exception):
    """A simulated kernel function returned `-errno`; `rule` says what decided, where one does."""

    def __init__(self, errno: Errno, rule: str | None = None) -> None:
        """`rule` is an id of the catalogue."""
        super().__init__(errno.value)
        self.errno = errno
        self.rule = rule
