"""CPUID is answered from the profile, and where that is silent, by the architecture or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inspector.errors import NotModelled
from inspector.model.processor import CpuidAnswer, OutOfRange
from inspector.predict.machine.cpuid import Cpuid
from tests.machines import PROCESSOR

ZEROS = (0, 0, 0, 0)
cpuid = Cpuid(PROCESSOR)


def test_a_leaf_that_does_not_look_at_ecx() -> None:
    expected = (0xD, 0x68747541, 0x444D4163, 0x69746E65)
    assert cpuid(0, 0) == cpuid(0, 1) == cpuid(0, 0xFFFFFFFF) == expected


def test_a_leaf_with_subleaves() -> None:
    assert cpuid(7, 0)[0] == 1
    assert cpuid(7, 1) == (0x30, 0, 0, 0)


def test_components_the_processor_lacks_are_zeros() -> None:
    assert cpuid(0xD, 2) == (0x100, 0x240, 0, 0)
    assert cpuid(0xD, 9) == cpuid(0xD, 63) == ZEROS


@pytest.mark.parametrize(("leaf", "subleaf"), [(7, 2), (0xD, 64), (4, 0), (0xB, 0)])
def test_what_was_not_asked_is_not_modelled(leaf: int, subleaf: int) -> None:
    with pytest.raises(NotModelled, match=f"cpuid leaf {leaf:#x}, subleaf {subleaf:#x}"):
        cpuid(leaf, subleaf)


BEYOND = (0xE, 0x3FFFFFFF, 0x40000000, 0x80000002, 0xC0000000, 0xFFFFFFFF)


@pytest.mark.parametrize("leaf", BEYOND)
def test_beyond_a_range(leaf: int) -> None:
    assert cpuid(leaf, 1) == ZEROS
    like_intel = Cpuid(replace(PROCESSOR, out_of_range=OutOfRange.HIGHEST_BASIC_LEAF))
    assert like_intel(leaf, 0) == (0xE7, 0x980, 0x980, 0)
    assert like_intel(leaf, 1) == (0xF, 0x9A8, 0x1800, 0)
    with pytest.raises(NotModelled):
        Cpuid(replace(PROCESSOR, out_of_range=None))(leaf, 1)


def test_a_processor_that_was_asked_nothing() -> None:
    for rule in (*OutOfRange, None):
        silent = Cpuid(replace(PROCESSOR, cpuid=(), out_of_range=rule))
        if rule is OutOfRange.ZEROS:
            assert silent(0, 0) == ZEROS
            continue
        with pytest.raises(NotModelled):
            silent(0, 0)


def test_a_highest_leaf_that_was_not_asked() -> None:
    odd = replace(
        PROCESSOR, cpuid=(CpuidAnswer(0, None, 0x20, 0, 0, 0),), out_of_range=OutOfRange.HIGHEST_BASIC_LEAF
    )
    with pytest.raises(NotModelled):
        Cpuid(odd)(0x21, 0)
