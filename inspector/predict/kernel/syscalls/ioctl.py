"""The system call ioctl (fs/ioctl.c, drivers/tty/tty_ioctl.c)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.files import Directory, HostFile, NullDevice
from inspector.predict.kernel.shmem import MemFd
from inspector.predict.kernel.syscalls.registry import system_call
from inspector.predict.kernel.uaccess import copy_to_user, put_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_TCGETS, _TIOCGPGRP, _TIOCGWINSZ = 0x5401, 0x540F, 0x5413
_FIONREAD, _FIONBIO, _FIONCLEX, _FIOCLEX, _FIOASYNC, _FIOQSIZE = (
    0x541B,
    0x5421,
    0x5450,
    0x5451,
    0x5452,
    0x5460,
)
_GENERIC = (_FIONBIO, _FIOASYNC, _FIOQSIZE)
_RAW_TERMIOS = struct.pack("<4I20x", 0, 0, 0xBF, 0)
"""struct termios of a terminal in raw mode: 38400 baud, 8 bits."""


@system_call("ioctl")
def ioctl(task: Task, descriptor: int, request: int, address: int) -> int:
    """Answer what stdio and the like ask of a terminal. Source: fs/ioctl.c:ioctl()."""
    file = task.files.get(descriptor)
    if request in (_FIOCLEX, _FIONCLEX):
        task.files.set_close_on_exec(descriptor, close=request == _FIOCLEX)
    elif request in _GENERIC:
        raise NotModelled(f"ioctl {request:#x}")
    elif file.is_terminal:
        _terminal(task, request, address)
    elif request == _FIONREAD and isinstance(file, HostFile | MemFd):
        file.turns.look(task)
        put_user(task, address, file.size - file.position)
    elif request == _FIONREAD and not isinstance(file, NullDevice | Directory):
        raise NotModelled("how much a pipe or a socket holds")
    else:
        raise KernelError(Errno.ENOTTY)
    return 0


def _terminal(task: Task, request: int, address: int) -> None:
    """Source: drivers/tty/tty_io.c:tty_ioctl()."""
    if request == _TCGETS:
        copy_to_user(task, address, _RAW_TERMIOS)
    elif request == _TIOCGWINSZ:
        copy_to_user(task, address, bytes(8))
    elif request == _TIOCGPGRP:
        # It is not the terminal of the caller's session: drivers/tty/tty_jobctrl.c:tiocgpgrp().
        raise KernelError(Errno.ENOTTY)
    else:
        raise NotModelled(f"ioctl {request:#x} of a terminal")
