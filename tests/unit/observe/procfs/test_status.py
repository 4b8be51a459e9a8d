from __future__ import annotations

import pytest

from inspector.observe.procfs.status import Credential, parse_status

STATUS = b"""Name:\tSigIgn:\\n)
Umask:\t0022
State:\tt (tracing stop)
Tgid:\t4711
Ngid:\t0
Pid:\t4712
PPid:\t4700
TracerPid:\t4699
Uid:\t1000\t1001\t1002\t1003
Gid:\t100\t101\t102\t103
FDSize:\t64
Groups:\t 
NSpid:\t4712\t12\t2
Kthread:\t0
VmPTE:\t      44 kB
VmSwap:\t       0 kB
THP_enabled:\t0
Threads:\t2
SigQ:\t0/96365
SigPnd:\t0000000000000000
ShdPnd:\t0000000000000002
SigBlk:\t8000000000000000
SigIgn:\t0000000000001001
SigCgt:\t0000000180000000
Seccomp:\t2
voluntary_ctxt_switches:\t150
nonvoluntary_ctxt_switches:\t7
"""  # noqa: W291 - the kernel prints the blank


def test_the_fields_have_their_meaning() -> None:
    status = parse_status(STATUS)
    assert (status.state, status.tgid, status.pid, status.ppid) == ("t", 4711, 4712, 4700)
    assert status.tracer_pid == 4699
    assert status.uid == Credential(1000, 1001, 1002, 1003)
    assert status.gid == Credential(100, 101, 102, 103)
    assert status.ns_pid == (4712, 12, 2)
    assert status.threads == 2
    assert status.page_table_bytes == 44 * 1024
    assert status.seccomp == 2
    assert status.switches == 157
    assert status.thp_enabled is False


def test_signal_masks_count_from_one() -> None:
    status = parse_status(STATUS)
    assert status.sig_pnd == frozenset()
    assert status.shd_pnd == {2}
    assert status.sig_blk == {64}
    assert status.sig_ign == {1, 13}
    assert status.sig_cgt == {32, 33}


def test_what_this_kernel_does_not_print_is_none() -> None:
    gone = (b"VmPTE", b"NSpid", b"Seccomp", b"THP_enabled")
    status = parse_status(
        b"".join(line for line in STATUS.splitlines(keepends=True) if not line.startswith(gone))
    )
    assert status.page_table_bytes is None
    assert status.ns_pid is None
    assert status.seccomp is None
    assert status.thp_enabled is None


@pytest.mark.parametrize("field", [b"State:\tt (tracing stop)\n", b"PPid:\t4700\n", b"\t0000000000001001"])
def test_a_missing_field_is_refused(field: bytes) -> None:
    with pytest.raises(ValueError, match="/proc/PID/status"):
        parse_status(STATUS.replace(field, b""))
