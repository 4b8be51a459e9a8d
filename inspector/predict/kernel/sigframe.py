"""The frame a handler runs on, and the way back (arch/x86/kernel/signal.c, signal_32.c, fpu/signal.c).

Where it lies and how large it is, SignalFrame says, from the machine. It is written from its upper end: first
what the coprocessor holds, then the registers, the mask and what is known of the signal.

What the coprocessor holds is kept aside and comes back with the frame; its image in memory is that of a
program that has not used it (an assumption, which a program that looks there is told).
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, VirtAddr, Vpn, page_down
from inspector.model.fault import FaultKind, FaultMode
from inspector.model.registers import Registers
from inspector.model.vma import Access
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.signal import (
    NEVER_BLOCKED,
    SA_ONSTACK,
    SA_RESTORER,
    SA_SIGINFO,
    SS_AUTODISARM,
    SS_DISABLE,
    SS_ONSTACK,
    Action,
    AlternateStack,
    SignalInfo,
    force_sigsegv,
)
from inspector.predict.kernel.uaccess import clear_user, copy_from_user, copy_to_user, touch

if TYPE_CHECKING:
    from inspector.model.signal_frame import FrameImage, SignalFrame
    from inspector.predict.kernel.task import Task

# struct sigcontext_32, and where it lies in struct sigframe_ia32 and struct rt_sigframe_ia32.
_SIGCONTEXT = struct.Struct("<4I18I")
_PLAIN_CONTEXT, _PLAIN_EXTRAMASK = 8, 720
_RT_INFO, _RT_UCONTEXT, _RT_CONTEXT, _RT_MASK = 16, 144, 164, 252
# popl %eax; movl $__NR_sigreturn, %eax; int $0x80, and movl $__NR_rt_sigreturn, %eax; int $0x80
_PLAIN_RETCODE, _RT_RETCODE = b"\x58\xb8\x77\0\0\0\xcd\x80", b"\xb8\xad\0\0\0\xcd\x80\0"
_XSAVE_HEADER, _XSAVE_HEADER_BYTES = 512, 64
_SW_RESERVED, _SW_RESERVED_BYTES = 464, 48
_MAGIC2_BYTES = 4
_MINSIGSTKSZ = 2048
_TF, _DF, _RF, _AC = 1 << 8, 1 << 10, 1 << 16, 1 << 18
_FIX_EFLAGS = 0x40DD5 | _RF
"""What sigreturn takes from the frame: AC OF DF TF SF ZF AF PF CF RF."""


def setup_frame(task: Task, info: SignalInfo, action: Action) -> bool:
    """Make the process run its handler next; False where the frame cannot be written.

    Source: arch/x86/kernel/signal_32.c:ia32_setup_frame(), ia32_setup_rt_frame().
    """
    cpu, state, layout = task.kernel.cpu, task.signals, _layout(task)
    registers = cpu.registers
    has_info = bool(action.flags & SA_SIGINFO)
    structure = layout.rt if has_info else layout.plain
    sp, on_stack = registers.esp, state.stack.holds(registers.esp)
    if action.flags & SA_ONSTACK and state.stack.size and not on_stack:
        sp, on_stack = state.stack.sp + state.stack.size, True
    fx = sp - (len(layout.fpstate.contents) - layout.fxsave_offset) & -64
    fpstate = fx - layout.fxsave_offset
    frame = fpstate - len(structure.contents)
    inside = state.stack.sp < frame <= state.stack.sp + state.stack.size
    if frame < 0 or (on_stack and not inside):
        return False
    mask = state.blocked if state.saved_mask is None else state.saved_mask
    restorer = _restorer(task, action, frame + len(structure.contents) - 16, has_info=has_info)
    context = _sigcontext(task, registers, fpstate, mask)
    if has_info:
        contents = (
            struct.pack("<4I", restorer, info.number, frame + _RT_INFO, frame + _RT_UCONTEXT)
            + info.pack()
            + struct.pack("<2I", int(bool(task.kernel.profile.processor.xcr0)), 0)  # UC_FP_XSTATE
            + struct.pack("<3I", state.stack.sp, state.stack.flags, state.stack.size)
            + context
            + struct.pack("<Q", mask)
            + _RT_RETCODE
        )
    else:
        contents = struct.pack("<2I", restorer, info.number) + context
        contents = contents.ljust(_PLAIN_EXTRAMASK, b"\0") + struct.pack("<I", mask >> 32) + _PLAIN_RETCODE
    try:
        _save_coprocessor(task, layout, fpstate)
        touch(task, frame + 4, Access.WRITE)  # the signal's number comes first
        _write(task, frame, contents.ljust(len(structure.contents), b"\0"), structure)
    except KernelError:
        return False
    state.coprocessors[fpstate] = cpu.save()
    cpu.restore(task.kernel.fresh_context)
    cpu.registers = Registers(
        eax=info.number,
        ebx=registers.ebx,
        ecx=frame + _RT_UCONTEXT if has_info else 0,
        edx=frame + _RT_INFO if has_info else 0,
        esi=registers.esi,
        edi=registers.edi,
        ebp=registers.ebp,
        esp=frame,
        eip=action.handler,
        eflags=registers.eflags & ~(_DF | _RF | _TF),
        cs=registers.cs,
        ss=registers.ss,
        ds=registers.ss,
        es=registers.ss,
        fs=registers.fs,
        gs=registers.gs,
    )
    if state.stack.flags & SS_AUTODISARM:
        state.stack = AlternateStack(flags=SS_DISABLE)
    return True


def sigreturn(task: Task, *, has_info: bool) -> int:
    """Take registers and mask from the frame at esp; return what eax will hold.

    Source: arch/x86/kernel/signal_32.c:sigreturn(), rt_sigreturn(), ia32_restore_sigcontext().
    """
    cpu = task.kernel.cpu
    # The handler's return has taken the address of the restorer, and of a plain frame it the number as well.
    frame = cpu.read("esp") - (4 if has_info else 8)
    try:
        if has_info:
            (mask,) = struct.unpack("<Q", copy_from_user(task, frame + _RT_MASK, 8))
        else:
            (high,) = struct.unpack("<I", copy_from_user(task, frame + _PLAIN_EXTRAMASK, 4))
            (low,) = struct.unpack("<I", copy_from_user(task, frame + _PLAIN_CONTEXT + 80, 4))
            mask = high << 32 | low
        task.signals.blocked = mask & ~NEVER_BLOCKED
        at = frame + (_RT_CONTEXT if has_info else _PLAIN_CONTEXT)
        eax = _restore(task, _SIGCONTEXT.unpack(copy_from_user(task, at, _SIGCONTEXT.size)))
        if has_info:
            words = struct.unpack("<3I", copy_from_user(task, frame + _RT_UCONTEXT + 8, 12))
            with suppress(KernelError):  # Source: kernel/signal.c:restore_altstack()
                set_stack(task, *words)
    except KernelError:
        force_sigsegv(task, 0)
        return 0
    return eax


def _layout(task: Task) -> SignalFrame:
    layout = task.kernel.profile.signal_frame
    if layout is None:
        raise NotModelled("the signal frames of this machine")
    return layout


def _restorer(task: Task, action: Action, retcode: int, *, has_info: bool) -> int:
    if action.flags & SA_RESTORER:
        return action.restorer
    layout = _layout(task)
    offset = layout.rt_sigreturn_offset if has_info else layout.sigreturn_offset
    return retcode if offset is None or not task.mm.vdso else task.mm.vdso + offset


def _sigcontext(task: Task, registers: Registers, fpstate: int, mask: int) -> bytes:
    if task.signals.trap is None:
        # Whoever started the program may have stopped at a breakpoint, and gdb does.
        task.kernel.assume("trap number in signal frames", "0 before the first exception")
    trap, error, cr2 = task.signals.trap or (0, 0, 0)
    own = registers
    return _SIGCONTEXT.pack(
        *(own.gs, own.fs, own.es, own.ds, own.edi, own.esi, own.ebp, own.esp, own.ebx, own.edx, own.ecx),
        *(own.eax, trap, error, own.eip, own.cs, own.eflags, own.esp, own.ss),
        *(fpstate, mask & 0xFFFF_FFFF, cr2),
    )


def stack_flags(stack: AlternateStack, esp: int) -> int:
    """Return ss_flags as sigaltstack tells them to a process whose stack pointer is `esp`."""
    used = SS_DISABLE if not stack.size else SS_ONSTACK if stack.holds(esp) else 0
    return used | stack.flags & SS_AUTODISARM


def _save_coprocessor(task: Task, layout: SignalFrame, fpstate: int) -> None:
    """Write the image of the coprocessor, touching pages in the kernel's order. Raises KernelError.

    The header of the XSAVE area is cleared first. The area itself is written with page faults off: at a page
    that is not ready it fails, after a fault that nobody handles; all of it is cleared, and it tries again.
    Source: arch/x86/kernel/fpu/signal.c:copy_fpstate_to_sigframe().
    """
    task.kernel.assume("coprocessor in signal frames", "as if it had not been used")
    fx = fpstate + layout.fxsave_offset
    size = len(layout.fpstate.contents) - layout.fxsave_offset
    if task.kernel.profile.processor.xcr0:
        size -= _MAGIC2_BYTES
        clear_user(task, fx + _XSAVE_HEADER, _XSAVE_HEADER_BYTES)
    for page in range(page_down(fx), fx + size, PAGE_SIZE):
        entry = task.mm.page_tables.lookup(Vpn(page >> PAGE_SHIFT))
        if entry is None or Access.WRITE not in entry.access:
            area = task.mm.find(page)
            task.faults.record(
                task.number,
                FaultMode.KERNEL,
                # Which byte CR2 names is the processor's own affair; measured on AMD. The page is not.
                VirtAddr(fx if page <= fx else fx + size - 1),
                Access.WRITE,
                entry is not None,
                None,
                FaultKind.REFUSED,
                None if area is None else task.mm.labelled_area(area),
            )
            clear_user(task, fx, size)
            break
    _write(task, fpstate, layout.fpstate.contents, layout.fpstate)


def _write(task: Task, address: int, contents: bytes, image: FrameImage) -> None:
    """Write what the kernel writes of a part of the frame."""
    start = 0
    for offset, length in (*image.untouched, (len(contents), 0)):
        copy_to_user(task, address + start, contents[start:offset])
        start = offset + length


def _restore(task: Task, words: tuple[int, ...]) -> int:
    """Put back the registers of a struct sigcontext_32; return its eax."""
    cpu = task.kernel.cpu
    gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, _, _, eip, cs, flags, _, ss, fpstate, *_ = words
    now = cpu.registers
    if (cs | 3, ss | 3) != (now.cs, now.ss):
        raise NotModelled("a return from a signal to another code or stack segment")
    if flags & _TF:
        raise NotModelled("a return from a signal to single-stepping")
    if flags & ~now.eflags & _AC:
        raise NotModelled("a return from a signal to checked alignment")
    if not ds & ~3 or not es & ~3:
        raise NotModelled("a return from a signal to no data segment")
    failed = _restore_coprocessor(task, fpstate)
    cpu.registers = Registers(
        eax=eax,
        ebx=ebx,
        ecx=ecx,
        edx=edx,
        esi=esi,
        edi=edi,
        ebp=ebp,
        esp=esp,
        eip=eip,
        eflags=now.eflags & ~_FIX_EFLAGS | flags & _FIX_EFLAGS,
        cs=now.cs,
        ss=now.ss,
        ds=_user_selector(task, ds),
        es=_user_selector(task, es),
        fs=_user_selector(task, fs),
        gs=_user_selector(task, gs),
    )
    if failed is not None:
        raise failed
    return eax


def _user_selector(task: Task, selector: int) -> int:
    """Return what is loaded for a selector in the frame. Source: arch/x86/kernel/signal_32.c:fixup_rpl()."""
    if selector <= 3 and _layout(task).keeps_null_selectors:  # noqa: PLR2004 - the null selector, of each privilege
        return selector
    return selector | 3


def _restore_coprocessor(task: Task, fpstate: int) -> KernelError | None:
    """Put back what the coprocessor held, if its image in the frame is still the one that was written.

    Return the error where it cannot be read. What XSAVE has stored is looked for first (sw_reserved).
    Source: arch/x86/kernel/fpu/signal.c:__fpu_restore_sig(), check_xstate_in_sigframe().
    """
    if not fpstate:
        task.kernel.cpu.restore(task.kernel.fresh_context)
        return None
    layout = _layout(task)
    image = layout.fpstate
    saved = task.signals.coprocessors.get(fpstate)
    try:
        if task.kernel.profile.processor.xcr0:
            copy_from_user(task, fpstate + layout.fxsave_offset + _SW_RESERVED, _SW_RESERVED_BYTES)
        now = copy_from_user(task, fpstate, len(image.contents))
    except KernelError as error:
        task.kernel.cpu.restore(task.kernel.fresh_context)
        return error
    start = 0
    for offset, length in (*image.untouched, (len(now), 0)):
        if saved is None or now[start:offset] != image.contents[start:offset]:
            raise NotModelled("a coprocessor state that the program has put into a signal frame")
        start = offset + length
    if saved is not None:
        del task.signals.coprocessors[fpstate]
        task.kernel.cpu.restore(saved)
    return None


def set_stack(task: Task, sp: int, flags: int, size: int) -> None:
    """Set the alternate stack. Raises KernelError. Source: kernel/signal.c:do_sigaltstack()."""
    mode = flags & ~SS_AUTODISARM
    if task.signals.stack.holds(task.kernel.cpu.read("esp")):
        raise KernelError(Errno.EPERM)
    if mode not in (SS_DISABLE, SS_ONSTACK, 0):
        raise KernelError(Errno.EINVAL)
    if mode == SS_DISABLE:
        task.signals.stack = AlternateStack(flags=flags)
    elif size < _MINSIGSTKSZ:
        raise KernelError(Errno.ENOMEM)
    else:
        task.signals.stack = AlternateStack(sp, size, flags)
