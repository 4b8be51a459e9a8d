from __future__ import annotations

import pytest

from inspector.observe.procfs.stat import parse_stat

# Every field holds its own number in proc_pid_stat(5), so that a slip by one shows.
NUMBERED = b" ".join(str(field).encode() for field in range(4, 53))


def test_every_field_is_the_one_of_its_number() -> None:
    stat = parse_stat(b"4711 (sh) t " + NUMBERED + b"\n")
    assert (stat.pid, stat.comm, stat.state, stat.ppid) == (4711, "sh", "t", 4)
    assert (stat.flags, stat.minflt, stat.majflt, stat.num_threads, stat.starttime_ticks) == (
        9,
        10,
        12,
        20,
        22,
    )
    assert (stat.start_code, stat.end_code, stat.start_stack) == (26, 27, 28)
    assert (stat.start_data, stat.end_data, stat.start_brk) == (45, 46, 47)
    assert (stat.arg_start, stat.arg_end, stat.env_start, stat.env_end) == (48, 49, 50, 51)
    assert stat.exit_code == 52


@pytest.mark.parametrize("comm", ["", "a b", ") Z 1 2 3 (", "(", ")", "a\nb", "\udcff"])
def test_the_name_may_be_anything(comm: str) -> None:
    line = b"1 (" + comm.encode("utf-8", "surrogateescape") + b") S " + NUMBERED + b"\n"
    stat = parse_stat(line)
    assert (stat.comm, stat.state, stat.ppid) == (comm, "S", 4)


def test_fields_of_a_later_kernel_do_not_disturb() -> None:
    assert parse_stat(b"1 (x) S " + NUMBERED + b" 53 54\n").exit_code == 52


@pytest.mark.parametrize("data", [b"", b"1 (x", b"1 x) S 2", b"1 (x) S 1 2 3\n", b"one (x) S " + NUMBERED])
def test_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"stat|invalid literal"):
        parse_stat(data)
