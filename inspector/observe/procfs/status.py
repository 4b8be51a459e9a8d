"""/proc/PID/status: the process in words, one field a line.

    State:  t (tracing stop)
    VmPTE:        44 kB
    SigIgn: 0000000000001000

Source: fs/proc/array.c:proc_pid_status(), proc_pid_status(5).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credential:
    """The four user or group ids a task has."""

    real: int
    effective: int
    saved: int
    filesystem: int


@dataclass(frozen=True, slots=True)
class Status:
    """The fields the observation needs. None: this kernel, or this kind of process, does not have it."""

    state: str
    """One letter: R running, S sleeping, T stopped, t traced, Z zombie, X dead."""
    tgid: int
    pid: int
    ppid: int
    tracer_pid: int
    """0: not traced."""
    uid: Credential
    gid: Credential
    ns_pid: tuple[int, ...] | None
    """The pid in each pid namespace, from the reader's own to the process's."""
    threads: int
    page_table_bytes: int | None
    """VmPTE: page tables of every level below the top one. None: no address space (any more)."""
    sig_pnd: frozenset[int]
    """Signals pending for the thread, by number."""
    shd_pnd: frozenset[int]
    """Signals pending for the process."""
    sig_blk: frozenset[int]
    sig_ign: frozenset[int]
    sig_cgt: frozenset[int]
    seccomp: int | None
    """0 off, 1 strict, 2 filter."""
    thp_enabled: bool | None
    """False after prctl(PR_SET_THP_DISABLE)."""
    switches: int | None
    """How often it has left the processor, of its own will or not."""


def parse_status(data: bytes) -> Status:
    """Return the fields of `data`; ValueError if one that every kernel prints is absent.

    The name is the one field another program chooses, and the kernel escapes its newlines.
    """
    lines = (line.partition(b":") for line in data.split(b"\n"))
    fields = {name.decode("ascii", "replace"): value.split() for name, _, value in lines}
    try:
        return _status(fields)
    except (KeyError, IndexError) as error:
        msg = f"/proc/PID/status without the field {error}"
        raise ValueError(msg) from error


def _status(fields: dict[str, list[bytes]]) -> Status:
    ns_pid = fields.get("NSpid")
    page_tables = fields.get("VmPTE")
    seccomp = fields.get("Seccomp")
    thp_enabled = fields.get("THP_enabled")
    switches = [fields.get(f"{kind}_ctxt_switches") for kind in ("voluntary", "nonvoluntary")]
    return Status(
        state=fields["State"][0].decode("ascii"),
        tgid=int(fields["Tgid"][0]),
        pid=int(fields["Pid"][0]),
        ppid=int(fields["PPid"][0]),
        tracer_pid=int(fields["TracerPid"][0]),
        uid=_credential(fields["Uid"]),
        gid=_credential(fields["Gid"]),
        ns_pid=None if ns_pid is None else tuple(map(int, ns_pid)),
        threads=int(fields["Threads"][0]),
        page_table_bytes=None if page_tables is None else int(page_tables[0]) * 1024,
        sig_pnd=_signals(fields["SigPnd"]),
        shd_pnd=_signals(fields["ShdPnd"]),
        sig_blk=_signals(fields["SigBlk"]),
        sig_ign=_signals(fields["SigIgn"]),
        sig_cgt=_signals(fields["SigCgt"]),
        seccomp=None if seccomp is None else int(seccomp[0]),
        thp_enabled=None if thp_enabled is None else thp_enabled[0] == b"1",
        switches=None if None in switches else sum(int(words[0]) for words in switches if words),
    )


def _credential(words: list[bytes]) -> Credential:
    real, effective, saved, filesystem = map(int, words)
    return Credential(real, effective, saved, filesystem)


def _signals(words: list[bytes]) -> frozenset[int]:
    # Bit n of the hexadecimal mask is signal n + 1 (fs/proc/array.c:render_sigset_t()).
    mask = int(words[0], 16)
    return frozenset(bit + 1 for bit in range(mask.bit_length()) if mask >> bit & 1)
