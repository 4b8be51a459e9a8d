"""The names of si_code, which say why a signal came. Source: include/uapi/asm-generic/siginfo.h."""

from __future__ import annotations

_OF_ANY_SIGNAL = {
    0x80: "SI_KERNEL",
    0: "SI_USER",
    -1: "SI_QUEUE",
    -2: "SI_TIMER",
    -3: "SI_MESGQ",
    -4: "SI_ASYNCIO",
    -5: "SI_SIGIO",
    -6: "SI_TKILL",
    -7: "SI_DETHREAD",
    -60: "SI_ASYNCNL",
}
_OF_ONE_SIGNAL = {
    "SIGILL": (
        *("ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR", "ILL_ILLTRP", "ILL_PRVOPC", "ILL_PRVREG", "ILL_COPROC"),
        *("ILL_BADSTK", "ILL_BADIADDR"),
    ),
    "SIGFPE": (
        *("FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV", "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES", "FPE_FLTINV"),
        *("FPE_FLTSUB", "", "", "", "", "", "FPE_FLTUNK", "FPE_CONDTRAP"),
    ),
    "SIGSEGV": (
        *("SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR", "SEGV_PKUERR", "SEGV_ACCADI", "SEGV_ADIDERR"),
        *("SEGV_ADIPERR", "SEGV_MTEAERR", "SEGV_MTESERR", "SEGV_CPERR"),
    ),
    "SIGBUS": ("BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"),
    "SIGTRAP": ("TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT", "TRAP_UNK", "TRAP_PERF"),
}
"""From 1 on; empty: a number that x86 has no use for."""


def si_code_name(signal: str, code: int) -> str:
    """Return `SEGV_MAPERR` for 1 of `SIGSEGV`; empty where Linux has no name for it."""
    names = _OF_ONE_SIGNAL.get(signal, ())
    return names[code - 1] if 1 <= code <= len(names) else _OF_ANY_SIGNAL.get(code, "")
