"""How processes end that are not ours to wait for: told by the kernel's process connector.

What a process forks is waited for by its own parent. The connector tells whoever may listen (CAP_NET_ADMIN,
in the initial namespaces) of every end in the system, with the status that a parent would be told.

    nlmsghdr    length type flags sequence port
    cn_msg      index value  sequence acknowledged  length flags
    proc_event  what cpu time  pid tgid exit_code ...

Source: drivers/connector/cn_proc.c:proc_exit_connector(), include/uapi/linux/cn_proc.h.
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress
from signal import Signals
from typing import TYPE_CHECKING, Self

from inspector.model.ending import Ending

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NETLINK_CONNECTOR = 11
_CN_IDX_PROC, _CN_VAL_PROC = 1, 1
_NLMSG_DONE = 3
_LISTEN = 1
"""PROC_CN_MCAST_LISTEN"""
_EXIT = 0x8000_0000
"""PROC_EVENT_EXIT"""
_HEADERS = struct.Struct("=IHHII IIIIHH")
_EVENT = struct.Struct("=IIQ iiI")
_SO_RCVBUFFORCE = 33
"""include/uapi/asm-generic/socket.h: beyond net.core.rmem_max, for those who may listen at all."""
_ROOM_BYTES = 4 << 20
"""Some thousands of messages."""
_MESSAGE_BYTES = 4096
_PATIENCE_SECONDS = 0.5
"""How long an end may be told of after a parent has been."""
_POLL_SECONDS = 0.002
_FIRST_REALTIME_SIGNAL = 32


class Endings:
    """The ends of processes from now on; a context manager. Where nobody may listen, none is told of."""

    def __init__(self) -> None:
        """Begin to listen."""
        self._codes: dict[int, list[int]] = {}
        """Statuses by the number of the process, which may be given out again."""
        self._socket: socket.socket | None = None
        with suppress(OSError):
            self._socket = _listening()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    def of(self, pids: Sequence[int]) -> tuple[Ending | None, ...]:
        """Return how each of the processes ended, which all have by now; None where it was not told.

        Of a number that was used twice no one can say whose end it was.
        """
        end = time.monotonic() + _PATIENCE_SECONDS
        while self._take() and not self._codes.keys() >= set(pids) and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        told = (self._codes.get(pid, ()) if pids.count(pid) == 1 else () for pid in pids)
        return tuple(ending_of_status(codes[0]) if len(codes) == 1 else None for codes in told)

    def drain(self) -> None:
        """Take what has been told so far, so that there is room for more."""
        self._take()

    def _take(self) -> bool:
        """Take what has been told; return whether more may come. What was lost is no one's end any more."""
        if self._socket is None:
            return False
        try:
            while message := self._socket.recv(_MESSAGE_BYTES):
                for pid, code in parse_exits(message):
                    self._codes.setdefault(pid, []).append(code)
        except BlockingIOError:
            return True
        except OSError:  # ENOBUFS: some were lost
            self._codes.clear()
            self._socket.close()
            self._socket = None
        return False


def parse_exits(message: bytes) -> Iterator[tuple[int, int]]:
    """Yield process and status of the end that a message of the connector tells of; of others, nothing."""
    if len(message) < _HEADERS.size + _EVENT.size:
        return
    _, _, _, _, _, index, value, *_ = _HEADERS.unpack_from(message)
    what, _, _, pid, tgid, code = _EVENT.unpack_from(message, _HEADERS.size)
    if (index, value, what) == (_CN_IDX_PROC, _CN_VAL_PROC, _EXIT) and pid == tgid:
        yield pid, code


def ending_of_status(code: int) -> Ending:
    """Return the ending that a status stands for, as wait4 stores it."""
    number = code & 0x7F
    if not number:
        return Ending(status=code >> 8 & 0xFF)
    return Ending(signal=signal_name(number))


def signal_name(number: int) -> str:
    """Return a signal's name as gdb has it: those of real-time signals depend on the C library."""
    return f"SIG{number}" if number >= _FIRST_REALTIME_SIGNAL else Signals(number).name


def _listening() -> socket.socket:
    """Return a socket that hears of processes. Raises OSError where that is not allowed, or not possible."""
    connector = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, _NETLINK_CONNECTOR)
    try:
        with suppress(OSError):
            connector.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM_BYTES)
        connector.bind((0, _CN_IDX_PROC))
        length = _HEADERS.size + 4
        headers = _HEADERS.pack(length, _NLMSG_DONE, 0, 0, 0, _CN_IDX_PROC, _CN_VAL_PROC, 0, 0, 4, 0)
        connector.send(headers + struct.pack("=I", _LISTEN))
    except OSError:
        connector.close()
        raise
    return connector
