"""The events that tell of page faults, and what each of them can tell.

    source                      needs                                          tells
    tracepoints                 CAP_PERFMON or perf_event_paranoid -1, and     address, ip, mode, access,
                                a readable tracefs                             protection
    software event              CAP_PERFMON or perf_event_paranoid 1           address, ip, mode
    software event, user mode   perf_event_paranoid 2                          address, ip

The tracepoints lie at the head of the handler, the software event behind its first checks
(arch/x86/mm/fault.c:exc_page_fault(), do_user_addr_fault()): a fault that the kernel takes while it has
faults disabled (pagefault_disable()) is seen by the tracepoints alone.

Source: include/linux/perf_event.h:perf_allow_kernel(), perf_allow_tracepoint().
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve
from inspector.model.fault_trace import FaultSource
from inspector.observe.damon import SCHEMES
from inspector.observe.perf.event import ANY_CPU, PAGE_FAULTS, SOFTWARE, TRACEPOINT, Attr, Flag, open_event
from inspector.observe.perf.records import SoftwareLayout, TracepointLayout
from inspector.observe.perf.tracefs import read_tracepoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.observe.perf.records import SampleLayout

USER_FAULTS, KERNEL_FAULTS = "exceptions:page_fault_user", "exceptions:page_fault_kernel"

_WAKEUP_BYTES = 64 << 10
_FOLLOWED = Flag.DISABLED | Flag.ENABLE_ON_EXEC | Flag.INHERIT | Flag.EXCLUDE_HV
_SAMPLED = _FOLLOWED | Flag.SAMPLE_ID_ALL | Flag.WATERMARK
_TELLS_OF_TASKS = Flag.TASK | Flag.COMM | Flag.COMM_EXEC


@dataclass(frozen=True, slots=True)
class EventSet:
    """Events that together report every fault once, and how they lay it out."""

    source: FaultSource
    layout: SampleLayout
    attrs: tuple[Attr, ...]
    """To be opened on every CPU. The first tells of tasks, too, and its ring serves them all."""
    counter: Attr
    """Counts the same faults independently of the samples, on all CPUs at once."""


def tracepoints() -> EventSet:
    """Return the tracepoints of both modes. OSError or ValueError where tracefs does not tell of them."""
    user, kernel = read_tracepoint(USER_FAULTS), read_tracepoint(KERNEL_FAULTS)
    layout = TracepointLayout(user, kernel)
    attrs = (
        Attr(TRACEPOINT, user.id, _SAMPLED | _TELLS_OF_TASKS, layout.sample_type, _WAKEUP_BYTES),
        Attr(TRACEPOINT, kernel.id, _SAMPLED, layout.sample_type, _WAKEUP_BYTES),
    )
    return EventSet(FaultSource.TRACEPOINTS, layout, attrs, Attr(SOFTWARE, PAGE_FAULTS, _FOLLOWED))


def software() -> EventSet:
    """Return the software event for both modes."""
    return _software(FaultSource.SOFTWARE, Flag(0))


def software_user() -> EventSet:
    """Return the software event without the faults of the kernel's own accesses."""
    return _software(FaultSource.SOFTWARE_USER, Flag.EXCLUDE_KERNEL)


def _software(source: FaultSource, excluded: Flag) -> EventSet:
    layout = SoftwareLayout()
    flags = _SAMPLED | _TELLS_OF_TASKS | excluded
    return EventSet(
        source,
        layout,
        (Attr(SOFTWARE, PAGE_FAULTS, flags, layout.sample_type, _WAKEUP_BYTES),),
        Attr(SOFTWARE, PAGE_FAULTS, _FOLLOWED | excluded),
    )


BY_HOW_MUCH_THEY_TELL = (tracepoints, software, software_user)


@contextmanager
def kept_registered() -> Iterator[None]:
    """Keep the tracepoints in use meanwhile, where they are allowed: it makes many recordings faster.

    The first event of a tracepoint has the kernel patch its code, and the last one has it wait until no CPU
    can be within any more; others wait for both. Source: kernel/trace/trace_event_perf.c:perf_trace_init().
    """
    with ExitStack() as opened:
        for name in (USER_FAULTS, KERNEL_FAULTS, SCHEMES):
            with suppress(OSError, ValueError, CannotObserve):
                attr = Attr(TRACEPOINT, read_tracepoint(name).id, Flag.DISABLED)
                opened.callback(os.close, open_event(attr, os.getpid(), ANY_CPU))
        yield
