"""The resource limits programs are run under, as far as this session may set them.

A limit of the session that is lower than what was asked for is raised where that is allowed
(CAP_SYS_RESOURCE). Where it is not, the program is run, and predicted, under the limit that does apply.
Where an i386 program could get to feel the limits of an address space as a whole, the machine is not probed.

Source: kernel/sys.c:do_prlimit().
"""

from __future__ import annotations

import resource

from inspector.errors import CannotObserve, LaunchFailed
from inspector.model.program import UNLIMITED, Limits

_MEMORY = ((resource.RLIMIT_AS, "address space", "v"), (resource.RLIMIT_DATA, "data", "d"))
_LIMITS = 16
"""RLIM_NLIMITS."""
_ALL_OF_I386 = 1 << 32
_OURS = 0
"""prlimit(2): the calling process."""


def permitted(wanted: Limits) -> Limits:
    """Return `wanted`, each limit lowered to what this session may give a program."""
    soft = {
        resource.RLIMIT_STACK: _permitted(resource.RLIMIT_STACK, wanted.stack),
        resource.RLIMIT_CORE: _permitted(resource.RLIMIT_CORE, wanted.core),
        **{which: _permitted(which, UNLIMITED) for which, _, _ in _MEMORY},
    }
    return Limits(
        stack=soft[resource.RLIMIT_STACK],
        core=soft[resource.RLIMIT_CORE],
        inherited=tuple(_inherited(which, soft.get(which)) for which in range(_LIMITS)),
    )


def _inherited(which: int, soft: int | None) -> tuple[int, int]:
    """Return the soft and hard limit a program will have, the soft one set to `soft` if given."""
    limits = [UNLIMITED if limit == resource.RLIM_INFINITY else limit for limit in resource.getrlimit(which)]
    if soft is not None:
        limits = [soft, max(soft, limits[1])]
    return limits[0], limits[1]


def set_limits(pid: int, limits: Limits) -> None:
    """Set the limits of `pid`, a program about to be executed.

    Where they say nothing of memory, it is as much as this session may give. Raises LaunchFailed for `limits`
    that are not permitted.
    """
    wanted = [
        (resource.RLIMIT_STACK, "the stack", "s", limits.stack),
        (resource.RLIMIT_CORE, "core files", "c", limits.core),
    ]
    for which, name, option in _MEMORY:
        known = limits.of(which)
        wanted.append((which, name, option, _permitted(which, UNLIMITED) if known is None else known[0]))
    for which, name, option, soft in wanted:
        if not _raised(pid, which, soft):
            hard = resource.prlimit(pid, which)[1]
            raise LaunchFailed(
                f"{_too_low(name, hard)}, below the {_shown(soft)} asked for", help=_cure(option)
            )


def require_memory() -> None:
    """Raise CannotObserve where programs cannot have all the memory an i386 address space can hold."""
    for which, name, option in _MEMORY:
        hard = _permitted(which, UNLIMITED)
        if hard < _ALL_OF_I386:
            raise CannotObserve(
                f"{_too_low(name, hard)}, too little to probe the machine",
                help=f"{_cure(option)}; or give --profile FILE, taken where there is no such limit",
            )


def _too_low(name: str, hard: int) -> str:
    return f"this session's hard limit of {name} is {_shown(hard)}"


def _cure(option: str) -> str:
    return f"only root may raise it: ulimit -H{option} unlimited, in the shell this runs in"


def _permitted(which: int, soft: int) -> int:
    before = resource.prlimit(_OURS, which)
    # Tried, not judged by capabilities: those of a user namespace do not count here.
    if _raised(_OURS, which, soft):
        resource.prlimit(_OURS, which, before)
        return soft
    return before[1]


def _raised(pid: int, which: int, soft: int) -> bool:
    """Set a soft limit, and the hard one with it where that is lower; return whether that was allowed."""
    hard = resource.prlimit(pid, which)[1]
    wanted = resource.RLIM_INFINITY if soft == UNLIMITED else soft
    fits = hard == resource.RLIM_INFINITY or (wanted != resource.RLIM_INFINITY and wanted <= hard)
    try:
        resource.prlimit(pid, which, (wanted, hard if fits else wanted))
    except (ValueError, PermissionError):
        return False
    return True


def _shown(limit: int) -> str:
    return "unlimited" if limit == UNLIMITED else f"{limit} bytes"
