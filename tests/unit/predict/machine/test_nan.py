"""NaNs as the processor passes them on: Intel SDM volume 1, table 4-7."""

from __future__ import annotations

import struct

import pytest

from inspector.errors import NotModelled
from inspector.predict.machine.cpu import CallGate, Special, SpecialMet, SystemCall
from tests.unit.predict.machine.machine import DATA, READ_WRITE, Machine

FIRST, SECOND = 0xFFF8 << 48 | 1, 0x7FF8 << 48 | 2
"""Of these two, x87 and Unicorn would give the second."""
SIGNALLING = 0x7FF0 << 48 | 3
QUIET_BIT, NUMBER = 1 << 51, 0x3FF << 52
IE = 1
LOAD = "f2 0f 10 05 00 90 04 08 f2 0f 10 0d 08 90 04 08"  # movsd xmm0, [DATA]; movsd xmm1, [DATA + 8]
ADD, ADD_PACKED = "f2 0f 58 c1", "66 0f 58 c1"
STORE = "f2 0f 11 05 00 90 04 08"
END = "cd 80"


def runs(code: str, *numbers: int, heeds: int | None = None) -> Machine:
    """Run `code` to its int 0x80 with doubles at DATA, NaNs being heeded from the run `heeds` on."""
    machine = Machine({} if heeds is None else {Special.NAN: heeds})
    machine.map(DATA, READ_WRITE, struct.pack(f"<{len(numbers)}Q", *numbers))
    assert machine.starts(code + END).run() == SystemCall(CallGate.INTERRUPT)
    return machine


def first_double(machine: Machine) -> int:
    return int.from_bytes(machine.cpu.peek(DATA, 8), "little")


@pytest.mark.parametrize(
    ("numbers", "sum_"),
    [
        ((FIRST, SECOND), FIRST),
        ((SECOND, FIRST), SECOND),
        ((SIGNALLING, SECOND), SIGNALLING | QUIET_BIT),
        ((FIRST, SIGNALLING), FIRST),
        ((NUMBER, FIRST), FIRST),
        ((SECOND, NUMBER), SECOND),
    ],
)
def test_of_two_nans_sse_gives_the_first(numbers: tuple[int, int], sum_: int) -> None:
    with pytest.raises(SpecialMet) as met:
        runs(LOAD + ADD + STORE, *numbers)
    assert (met.value.kind, met.value.number) == (Special.NAN, 0)
    assert first_double(runs(LOAD + ADD + STORE, *numbers, heeds=0)) == sum_


def test_of_which_one_signals_is_seen_in_mxcsr() -> None:
    """Addsd, stmxcsr [DATA]."""
    for other, flags in ((SECOND, 0), (SIGNALLING, IE)):
        machine = runs(LOAD + ADD + "0f ae 1d 00 90 04 08", FIRST, other, heeds=0)
        assert first_double(machine) & 0x3F == flags


def test_two_nans_that_meet_among_other_numbers_are_named() -> None:
    with pytest.raises(NotModelled, match="addpd xmm0, xmm1, where two NaNs meet"):
        runs(LOAD + ADD_PACKED + STORE, FIRST, SECOND, heeds=0)
    assert first_double(runs(LOAD + ADD_PACKED + STORE, FIRST, FIRST, heeds=0)) == FIRST


@pytest.mark.parametrize(
    "code",
    [
        # xorpd xmm0, xmm0; divsd xmm0, xmm0
        "66 0f 57 c0 f2 0f 5e c0",
        # fldz; fdiv st, st; fstp st
        "d9 ee d8 f0 dd d8",
    ],
    ids=["SSE", "x87"],
)
def test_a_nan_is_met_where_arithmetic_makes_one(code: str) -> None:
    cpu = runs("31 c0 40" + END + code + END).cpu
    with pytest.raises(SpecialMet) as met:
        cpu.run()
    assert (met.value.kind, met.value.number) == (Special.NAN, 1)


def test_where_nans_are_heeded_no_loop_stops_being_looked_at() -> None:
    """Only the last time is the first operand of addsd a NaN, too."""
    # mov ecx, 100; L: movsd xmm0, xmm1; cmp ecx, 1; jne N; movsd xmm0, [DATA]
    # N: addsd xmm0, [DATA + 8]; loop L
    loop = "b9 64 00 00 00 f2 0f 10 c1 83 f9 01 75 08 f2 0f 10 05 00 90 04 08 f2 0f 58 05 08 90 04 08 e2 e5"
    assert first_double(runs(loop + STORE, FIRST, SECOND, heeds=0)) == FIRST


@pytest.mark.parametrize("pops", [True, False], ids=["fstp", "fst"])
@pytest.mark.parametrize(
    ("load", "store", "signalling", "quiet"),
    [
        ("d9 05 00 90 04 08", "d9 15 00 90 04 08", "01 00 80 7f", "01 00 c0 7f"),
        ("dd 05 00 90 04 08", "dd 15 00 90 04 08", "01 00 00 00 00 00 f0 ff", "01 00 00 00 00 00 f8 ff"),
        ("db 2d 00 90 04 08", "d9 15 00 90 04 08", "01" + 6 * " 00" + " 80 ff 7f", "00 00 c0 7f"),
        (
            "db 2d 00 90 04 08",
            "dd 15 00 90 04 08",
            "00 ff" + 5 * " 00" + " 80 ff ff",
            "1f 00 00 00 00 00 f8 ff",
        ),
    ],
    ids=["float", "double", "long double to float", "long double to double"],
)
def test_a_signalling_nan_becomes_quiet_where_x87_loads_or_stores_it(
    load: str, store: str, signalling: str, quiet: str, *, pops: bool
) -> None:
    if pops:
        store = store.replace(" 15 ", " 1d ")
    code, contents = (
        load + store + "df e0 25 ff 38 00 00",
        int.from_bytes(bytes.fromhex(signalling), "little"),
    )
    numbers = (contents & (1 << 64) - 1, contents >> 64)
    with pytest.raises(SpecialMet) as met:
        runs(code, *numbers)
    assert met.value.kind is Special.NAN
    machine = runs(code, *numbers, heeds=0)
    assert machine.cpu.peek(DATA, len(bytes.fromhex(quiet))) == bytes.fromhex(quiet)
    assert machine.cpu.read("eax") & 0xFFFF == (0 if pops else 7 << 11) | IE
