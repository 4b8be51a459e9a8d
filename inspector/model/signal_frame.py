"""What the kernel lays on the stack before it calls a signal handler."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FrameImage:
    """Bytes that the kernel wrote into one part of a signal frame, as a sample."""

    contents: bytes
    """Where the kernel wrote nothing: zeros."""
    untouched: tuple[tuple[int, int], ...]
    """(offset, length) of the bytes that keep what the stack held before; ascending, apart."""


@dataclass(frozen=True, slots=True)
class SignalFrame:
    """How an i386 program's signal frame lies on the stack, and samples of what is in it.

    Downwards from `sp`, which is esp at the time of the signal, or the end of the alternate stack:

        sp
        fx       = round_down(sp - (len(fpstate.contents) - fxsave_offset), 64)
        fpstate  = fx - fxsave_offset                      sigcontext.fpstate points here
        handler's esp = fpstate - len(plain.contents)      or, with SA_SIGINFO, - len(rt.contents)

    The samples are of a program that read address 0 before it used the FPU. In them stand its own
    registers, addresses and signal; the structures are those of <asm/sigcontext.h> and <asm/ucontext.h>.
    Source: arch/x86/kernel/signal.c:get_sigframe(), signal_32.c,
    arch/x86/kernel/fpu/signal.c:copy_fpstate_to_sigframe().
    """

    plain: FrameImage
    """struct sigframe_ia32, up to `fpstate`."""
    rt: FrameImage
    """struct rt_sigframe_ia32, up to `fpstate`."""
    fpstate: FrameImage
    """struct _fpstate_32 with the XSAVE image, initial but for XSTATE_BV, and the magic number behind it."""
    fxsave_offset: int
    """Where in it the FXSAVE or XSAVE image begins."""
    sigreturn_offset: int | None
    """__kernel_sigreturn in the vdso, to which a handler without SA_RESTORER returns; None: not there."""
    rt_sigreturn_offset: int | None
    """__kernel_rt_sigreturn, the same for one with SA_SIGINFO."""
    keeps_null_selectors: bool
    """Whether sigreturn leaves a null selector in ds, es, fs or gs as it is (signal_32.c:fixup_rpl()); older
    kernels make it 3."""
