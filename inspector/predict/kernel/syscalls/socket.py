"""Sockets, as far as a program gets that looks for a service nobody offers (net/socket.c).

glibc looks for its name service cache daemon before it reads /etc/passwd. Whoever would be talked to is no
part of the simulation, so a connection that could be made is not modelled.
"""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.files import FileStat
from inspector.predict.kernel.syscalls.path import AT_FDCWD, host_path, kernel_error
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.uaccess import copy_from_user

if TYPE_CHECKING:
    from inspector.predict.kernel.iov_iter import IovIter
    from inspector.predict.kernel.task import Task

_AF_UNIX = 1
_SOCK_STREAM, _SOCK_DGRAM, _SOCK_CLOEXEC, _SOCK_NONBLOCK = 1, 2, 0o2000000, 0o4000
_SOCKADDR_STORAGE_BYTES, _SUN_PATH_AT, _SOCKADDR_UN_BYTES = 128, 2, 110
_SOCKETCALL = {
    1: ("socket", 3),
    2: ("bind", 3),
    3: ("connect", 3),
    4: ("listen", 2),
    5: ("accept", 3),
    6: ("getsockname", 3),
    7: ("getpeername", 3),
    8: ("socketpair", 4),
    9: ("send", 4),
    10: ("recv", 4),
    11: ("sendto", 6),
    12: ("recvfrom", 6),
    13: ("shutdown", 2),
    14: ("setsockopt", 5),
    15: ("getsockopt", 5),
    16: ("sendmsg", 3),
    17: ("recvmsg", 3),
    18: ("accept4", 4),
    19: ("recvmmsg", 5),
    20: ("sendmmsg", 4),
}
"""What socketcall does by its first argument, and how many words its second leads to.

Source: include/uapi/linux/net.h, net/compat.c:nas.
"""


@dataclass(slots=True, eq=False)
class Socket:
    """A socket that nothing is connected to."""

    flags: int
    is_terminal = False

    @property
    def stat(self) -> FileStat:
        """What fstat tells; its number is no one's to know."""
        return FileStat(0, 2, stat.S_IFSOCK | 0o777, 1, os.getuid(), os.getgid(), 0, 0, 4096, 0)

    def read(self, _to: IovIter) -> int:
        """Refuse by name."""
        raise NotModelled("reading from a socket")

    def write(self, _source: IovIter) -> int:
        """Refuse by name."""
        raise NotModelled("writing to a socket")


@system_call("socketcall")
def socketcall(task: Task, number: int, address: int) -> int:
    """Make one of the calls about sockets, its arguments in memory. Source: net/compat.c:socketcall()."""
    if number not in _SOCKETCALL:
        raise KernelError(Errno.EINVAL)
    name, words = _SOCKETCALL[number]
    arguments = struct.unpack(f"<{words}I", copy_from_user(task, address, 4 * words))
    match name:
        case "socket":
            return socket(task, *arguments)
        case "connect":
            return connect(task, *arguments)
        case "getpeername" | "getsockname":
            return getpeername(task, *arguments)
        case _:
            raise NotModelled(f"socketcall {name}")


@system_call("socket")
def socket(task: Task, family: int, kind: int, protocol: int) -> int:
    """Source: net/socket.c:__sys_socket()."""
    if family != _AF_UNIX or kind & 0xF not in (_SOCK_STREAM, _SOCK_DGRAM) or protocol:
        raise NotModelled(f"a socket of family {family}, type {kind & 0xF}, protocol {protocol}")
    made = Socket(os.O_RDWR | kind & _SOCK_NONBLOCK)
    return task.files.add(made, close_on_exec=bool(kind & _SOCK_CLOEXEC))


@system_call("connect")
def connect(task: Task, descriptor: int, address: int, size: int) -> int:
    """Find nobody at a path. Source: net/socket.c:__sys_connect(), net/unix/af_unix.c:unix_find_bsd()."""
    _socket(task, descriptor)
    if signed(size) < 0 or size > _SOCKADDR_STORAGE_BYTES:
        raise KernelError(Errno.EINVAL)
    name = copy_from_user(task, address, size)
    if size <= _SUN_PATH_AT or size > _SOCKADDR_UN_BYTES or name[:2] != struct.pack("<H", _AF_UNIX):
        raise KernelError(Errno.EINVAL)
    path = os.fsdecode(name[_SUN_PATH_AT:].partition(b"\0")[0])
    if not path:
        raise NotModelled("connecting to a socket that has no path")
    try:
        os.stat(host_path(task, AT_FDCWD, path))  # noqa: PTH116
    except OSError as error:
        raise kernel_error(error) from error
    raise NotModelled(f"connecting to {path}")


@system_call("getpeername", "getsockname")
def getpeername(task: Task, descriptor: int, _address: int, _size: int) -> int:
    """Refuse what is no socket. Source: net/socket.c:sockfd_lookup_light()."""
    _socket(task, descriptor)
    raise NotModelled("the name of a socket")


def _socket(task: Task, descriptor: int) -> Socket:
    file = task.files.get(descriptor)
    if not isinstance(file, Socket):
        raise KernelError(Errno.ENOTSOCK)
    return file
