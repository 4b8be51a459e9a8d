"""System calls about signals: what is to be done about them, which wait, and sending one."""

from __future__ import annotations

import struct
from signal import SIGCHLD, SIGKILL, SIGSTOP
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.sigchld import refuse_child_look
from inspector.predict.kernel.sigframe import set_stack, sigreturn, stack_flags
from inspector.predict.kernel.signal import (
    LAST_SIGNAL,
    NEVER_BLOCKED,
    SI_TKILL,
    SI_USER,
    Action,
    SignalInfo,
    send,
)
from inspector.predict.kernel.syscalls.registry import Blocked, signed, system_call
from inspector.predict.kernel.uaccess import copy_from_user, copy_to_user, every, get_user, put_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_SIGSET_BYTES = 8
_KNOWN_FLAGS = 0xDC00_0807
"""UAPI_SA_FLAGS: any other is cleared."""
_ALL, _FIRST_32 = (1 << 64) - 1, (1 << 32) - 1
_SIG_BLOCK, _SIG_UNBLOCK, _SIG_SETMASK = 0, 1, 2


@system_call("rt_sigaction")
def rt_sigaction(task: Task, number: int, new: int, old: int, size: int) -> int:
    """Source: kernel/signal.c:rt_sigaction(), do_sigaction()."""
    if size != _SIGSET_BYTES:
        raise KernelError(Errno.EINVAL)
    action = None
    if new:
        handler, restorer, mask, flags = every(
            lambda: get_user(task, new),
            lambda: get_user(task, new + 8),
            lambda: _sigset(task, new + 12),
            lambda: get_user(task, new + 4),
        )
        action = Action(handler, flags & _KNOWN_FLAGS, restorer, mask & ~NEVER_BLOCKED)
    before = _do_sigaction(task, number, action)
    if old:
        every(
            lambda: put_user(task, old, before.handler),
            lambda: copy_to_user(task, old + 12, struct.pack("<Q", before.mask)),
            lambda: put_user(task, old + 4, before.flags),
            lambda: put_user(task, old + 8, before.restorer),
        )
    return 0


@system_call("sigaction")
def sigaction(task: Task, number: int, new: int, old: int) -> int:
    """Do the same with a mask of 32 signals. Source: kernel/signal.c:sigaction()."""
    action = None
    if new:
        handler, restorer, flags, mask = (get_user(task, new + offset) for offset in (0, 12, 8, 4))
        action = Action(handler, flags & _KNOWN_FLAGS, restorer, mask & ~NEVER_BLOCKED)
    before = _do_sigaction(task, number, action)
    if old:
        put_user(task, old, before.handler)
        put_user(task, old + 12, before.restorer)
        put_user(task, old + 8, before.flags)
        put_user(task, old + 4, before.mask)
    return 0


def _do_sigaction(task: Task, number: int, action: Action | None) -> Action:
    """Set the action for a signal, if one is given, and return the one before."""
    if not 1 <= number <= LAST_SIGNAL or (action is not None and number in (SIGKILL, SIGSTOP)):
        raise KernelError(Errno.EINVAL)
    state = task.signals
    before = state.action(number)
    if action is not None:
        if number == SIGCHLD and action.forgets_children != before.forgets_children and task.children:
            raise NotModelled("whether a child ends before or after SIGCHLD is ignored")
        state.actions[number] = action
        if state.is_ignored(number):
            state.flush([number])
    return before


@system_call("rt_sigprocmask")
def rt_sigprocmask(task: Task, how: int, new: int, old: int, size: int) -> int:
    """Source: kernel/signal.c:rt_sigprocmask(), sigprocmask()."""
    if size != _SIGSET_BYTES:
        raise KernelError(Errno.EINVAL)
    before = task.signals.blocked
    if new:
        _change_mask(task, how, _sigset(task, new), _ALL)
    if old:
        copy_to_user(task, old, struct.pack("<Q", before))
    return 0


@system_call("sigprocmask")
def sigprocmask(task: Task, how: int, new: int, old: int) -> int:
    """Do the same with the first 32 signals. Source: kernel/signal.c:sigprocmask()."""
    before = task.signals.blocked
    if new:
        _change_mask(task, how, get_user(task, new), _FIRST_32)
    if old:
        put_user(task, old, before)
    return 0


def _change_mask(task: Task, how: int, mask: int, of: int) -> None:
    """Block, unblock, or set those of the signals `of` that are in `mask`."""
    mask &= ~NEVER_BLOCKED
    now = task.signals.blocked
    masks = {_SIG_BLOCK: now | mask, _SIG_UNBLOCK: now & ~mask, _SIG_SETMASK: now & ~of | mask}
    if how not in masks:
        raise KernelError(Errno.EINVAL)
    task.signals.blocked = masks[how]


@system_call("rt_sigpending")
def rt_sigpending(task: Task, address: int, size: int) -> int:
    """Source: kernel/signal.c:rt_sigpending()."""
    if size > _SIGSET_BYTES:
        raise KernelError(Errno.EINVAL)
    refuse_child_look(task)
    pending = sum(1 << number - 1 for number in task.signals.waiting) & task.signals.blocked
    copy_to_user(task, address, struct.pack("<Q", pending)[:size])
    return 0


@system_call("rt_sigsuspend")
def rt_sigsuspend(task: Task, address: int, size: int) -> int:
    """Wait, with another mask, for a signal. Source: kernel/signal.c:rt_sigsuspend(), sigsuspend()."""
    state = task.signals
    if state.saved_mask is None:  # not yet waiting
        if size != _SIGSET_BYTES:
            raise KernelError(Errno.EINVAL)
        mask = _sigset(task, address) & ~NEVER_BLOCKED
        state.saved_mask, state.blocked = state.blocked, mask
    if not state.interrupts:
        raise Blocked(lambda: state.interrupts)
    raise KernelError(Errno.EINTR)


@system_call("pause")
def pause(task: Task) -> int:
    """Source: kernel/signal.c:pause()."""
    if not task.signals.interrupts:
        raise Blocked(lambda: task.signals.interrupts)
    raise KernelError(Errno.EINTR)


@system_call("sigaltstack")
def sigaltstack(task: Task, new: int, old: int) -> int:
    """Source: kernel/signal.c:do_compat_sigaltstack(), do_sigaltstack()."""
    before, esp = task.signals.stack, task.kernel.cpu.read("esp")
    if new:
        set_stack(task, *struct.unpack("<3I", copy_from_user(task, new, 12)))
    if old:
        words = (before.sp, stack_flags(before, esp), before.size)
        copy_to_user(task, old, struct.pack("<3I", *words))
    return 0


@system_call("kill")
def kill(task: Task, pid: int, number: int) -> int:
    """Source: kernel/signal.c:kill(), kill_something_info()."""
    return _send(task, signed(pid), number, SI_USER)


@system_call("tkill")
def tkill(task: Task, tid: int, number: int) -> int:
    """Source: kernel/signal.c:tkill(), do_tkill()."""
    return _send(task, signed(tid), number, SI_TKILL)


@system_call("tgkill")
def tgkill(task: Task, tgid: int, tid: int, number: int) -> int:
    """Source: kernel/signal.c:tgkill(), do_tkill()."""
    if signed(tgid) <= 0 or signed(tid) <= 0:
        raise KernelError(Errno.EINVAL)
    if tgid != tid:
        raise KernelError(Errno.ESRCH)
    return _send(task, signed(tid), number, SI_TKILL)


def _send(task: Task, pid: int, number: int, code: int) -> int:
    """Send a signal to the process itself."""
    if pid != task.pid:
        raise NotModelled("a signal to another process")
    if number > LAST_SIGNAL:
        raise KernelError(Errno.EINVAL)
    if number:
        info = SignalInfo(number, code, sender=(task.pid, task.credentials.uid))
        send(task, info, to_process=code == SI_USER)
    return 0


@system_call("sigreturn")
def return_from_handler(task: Task) -> int:
    """Source: arch/x86/kernel/signal_32.c:sigreturn()."""
    return sigreturn(task, has_info=False)


@system_call("rt_sigreturn")
def return_from_handler_with_info(task: Task) -> int:
    """Source: arch/x86/kernel/signal_32.c:rt_sigreturn()."""
    return sigreturn(task, has_info=True)


def _sigset(task: Task, address: int) -> int:
    (mask,) = struct.unpack("<Q", copy_from_user(task, address, _SIGSET_BYTES))
    return int(mask)
