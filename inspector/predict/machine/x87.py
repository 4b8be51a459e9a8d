"""The x87 operations that Unicorn does not do exactly, on registers as they are.

79  78          64  63                                 0
s   exponent        significand, its leading one explicit      value: significand * 2^(exponent - 16383 - 63)

Sources: Intel SDM volume 1, chapter 8 and tables 4-7, 8-10; volume 2, the instruction's page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple


class Extended(NamedTuple):
    """An 80-bit number as it stands in a register."""

    significand: int
    exponent: int
    """Sixteen bits, the sign uppermost."""


IE, DE, ZE, OE, UE, PE = 1, 2, 4, 8, 16, 32
C0, C1, C2, C3 = 0x100, 0x200, 0x400, 0x4000
CONDITIONS = C0 | C1 | C2 | C3
NEAREST, DOWN, UP, ZERO = range(4)
"""Rounding, as the control word's bits 11-10 say it."""

_SIGN, _MAXIMUM, _BIAS = 0x8000, 0x7FFF, 16383 + 63
_LEADING, _QUIET = 1 << 63, 1 << 62
_WIDTH, FRACTION = 64, 63
"""Bits of the significand, and of the part of it that other formats have, too."""
INDEFINITE = Extended(_LEADING | _QUIET, _SIGN | _MAXIMUM)
"""What an invalid operation gives: the quiet NaN called real indefinite."""
_INFINITY, _NOTHING = Extended(_LEADING, _MAXIMUM), Extended(0, 0)
_FARTHEST = 1 << 17
"""More places than lie between the least and the greatest number."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation leaves: the new top of the stack, exceptions and condition codes to set."""

    value: Extended
    exceptions: int = 0
    conditions: int = 0
    sets: int = C1
    """The condition codes that `conditions` speaks of; the others stay."""
    pushed: Extended | None = None
    """What is pushed on top of it."""


def _is_nan(number: Extended) -> bool:
    return number.exponent & _MAXIMUM == _MAXIMUM and number.significand & ~_LEADING != 0


def _is_infinite(number: Extended) -> bool:
    return number.exponent & _MAXIMUM == _MAXIMUM and number.significand == _LEADING


def is_unsupported(number: Extended) -> bool:
    """An exponent that calls for a leading one, and none there."""
    return number.exponent & _MAXIMUM != 0 and not number.significand & _LEADING


def is_signalling(number: Extended) -> bool:
    """Whether it is a NaN that sets IE where it is used."""
    return _is_nan(number) and not is_unsupported(number) and not number.significand & _QUIET


def is_negative(number: Extended) -> bool:
    """Whether its sign is set."""
    return number.exponent & _SIGN != 0


def nan(negative: bool, fraction: int) -> Extended:
    """Return a quiet NaN; bits of `fraction` beyond its own do not count."""
    significand = _LEADING | _QUIET | fraction & _LEADING - 1
    return Extended(significand, _MAXIMUM | (_SIGN if negative else 0))


def is_denormal(number: Extended) -> bool:
    """Whether it is neither 0 nor large enough for a leading one."""
    return not number.exponent & _MAXIMUM and number.significand != 0


def _denormal(*numbers: Extended) -> int:
    return DE if any(map(is_denormal, numbers)) else 0


def _power(number: Extended) -> int:
    """The weight of the significand's last bit, as a power of 2."""
    return max(number.exponent & _MAXIMUM, 1) - _BIAS


def _invalid(*numbers: Extended) -> Outcome | None:
    """The outcome where an operand is not a number; None where each is one."""
    if any(map(is_unsupported, numbers)):
        return Outcome(INDEFINITE, IE)
    nans = [number for number in numbers if _is_nan(number)]
    if not nans:
        return None
    quiet = [nan for nan in nans if nan.significand & _QUIET]
    signals = len(quiet) < len(nans)
    candidates = quiet if signals and quiet else nans
    # The larger significand, and of equal ones the positive.
    chosen = max(candidates, key=lambda nan: (nan.significand, -nan.exponent))
    return Outcome(Extended(chosen.significand | _QUIET, chosen.exponent), IE if signals else 0)


def _exact(sign: int, magnitude: int, power: int) -> Extended:
    """Return magnitude * 2^power, which must fit."""
    if not magnitude:
        return Extended(0, sign)
    shift = _WIDTH - magnitude.bit_length()
    exponent = power - shift + _BIAS
    if exponent < 1:
        shift += exponent - 1
        exponent = 0
    significand = magnitude << shift if shift >= 0 else magnitude >> -shift
    return Extended(significand, sign | exponent)


def remainder(dividend: Extended, divisor: Extended, *, nearest: bool) -> Outcome:
    """Fprem (quotient rounded toward zero) and fprem1 (to nearest): one step of at most 63 bits."""
    invalid = _invalid(dividend, divisor)
    if invalid is None and (_is_infinite(dividend) or not divisor.significand):
        invalid = Outcome(INDEFINITE, IE)
    if invalid is not None:
        return replace(invalid, sets=C1 | C2)
    denormal = _denormal(dividend, divisor)
    if _is_infinite(divisor) or not dividend.significand:
        return Outcome(dividend, denormal, sets=CONDITIONS)
    sign = dividend.exponent & _SIGN
    low = min(_power(dividend), _power(divisor))
    numerator = dividend.significand << _power(dividend) - low
    denominator = divisor.significand << _power(divisor) - low
    distance = numerator.bit_length() - denominator.bit_length()
    if distance >= _WIDTH:
        step = distance - (32 + distance % 32)
        rest = numerator - (numerator // (denominator << step)) * (denominator << step)
        return Outcome(_exact(sign, rest, low), denormal, C2, CONDITIONS)
    quotient, rest = divmod(numerator, denominator)
    if nearest and (2 * rest > denominator or (2 * rest == denominator and quotient & 1)):
        quotient += 1
        rest = denominator - rest
        sign ^= _SIGN if rest else 0
    codes = (C0 if quotient & 4 else 0) | (C3 if quotient & 2 else 0) | (C1 if quotient & 1 else 0)
    return Outcome(_exact(sign, rest, low), denormal, codes, CONDITIONS)


def scale(number: Extended, by: Extended, rounding: int) -> Outcome:
    """fscale: number * 2^trunc(by)."""
    invalid = _invalid(number, by)
    if invalid is not None:
        return invalid
    sign, denormal = number.exponent & _SIGN, _denormal(number, by)
    if _is_infinite(by):
        grows = not by.exponent & _SIGN
        if _is_infinite(number) if not grows else not number.significand:
            return Outcome(INDEFINITE, IE)
        special = _INFINITY if grows else _NOTHING
        return Outcome(Extended(special.significand, special.exponent | sign), denormal)
    if _is_infinite(number) or not number.significand:
        return Outcome(number, denormal)
    places = by.significand << _power(by) if _power(by) >= 0 else by.significand >> -_power(by)
    places = min(places, _FARTHEST) * (-1 if by.exponent & _SIGN else 1)
    outcome = _rounded(sign, number.significand, _power(number) + places, rounding)
    return replace(outcome, exceptions=outcome.exceptions | denormal)


def _rounded(sign: int, magnitude: int, power: int, rounding: int) -> Outcome:
    """Return magnitude * 2^power, rounded where it is too large or too small to be exact."""
    exponent = power - (_WIDTH - magnitude.bit_length()) + _BIAS
    away = rounding == (DOWN if sign else UP)
    if exponent >= _MAXIMUM:
        infinite = away or rounding == NEAREST
        value = _INFINITY if infinite else Extended((1 << _WIDTH) - 1, _MAXIMUM - 1)
        return Outcome(Extended(value.significand, value.exponent | sign), OE | PE, C1 if infinite else 0)
    shift = min(1 - _BIAS - power, _FARTHEST)
    kept, lost = divmod(magnitude, 1 << max(shift, 0))
    if exponent >= 1 or not lost:
        return Outcome(_exact(sign, magnitude, power))
    up = _rounds_up(lost, shift, kept, sign, rounding)
    return Outcome(_exact(sign, kept + up, 1 - _BIAS), UE | PE, C1 if up else 0)


def extract(number: Extended) -> Outcome:
    """fxtract: the exponent, and on top of it the significand."""
    invalid = _invalid(number)
    if invalid is not None:
        return replace(invalid, pushed=invalid.value)
    sign = number.exponent & _SIGN
    if _is_infinite(number):
        return Outcome(_INFINITY, pushed=number)
    if not number.significand:
        return Outcome(Extended(_LEADING, _SIGN | _MAXIMUM), ZE, pushed=number)
    top = number.significand.bit_length() - 1
    exponent = _power(number) + top
    return Outcome(
        _exact(_SIGN if exponent < 0 else 0, abs(exponent), 0),
        _denormal(number),
        pushed=_exact(sign, number.significand, -top),
    )


def to_integer(number: Extended, size: int, rounding: int) -> tuple[int, int, int]:
    """Return the integer of `size` bytes, unsigned, that fist and fisttp (which rounds to zero) store.

    With it come the exceptions, and C1 if its magnitude was rounded up.
    """
    indefinite = 1 << 8 * size - 1
    power = _power(number)
    if is_unsupported(number) or number.exponent & _MAXIMUM == _MAXIMUM or (power > 0 and number.significand):
        return indefinite, IE, 0
    negative = bool(number.exponent & _SIGN)
    magnitude, lost = divmod(number.significand, 1 << max(-power, 0))
    up = _rounds_up(lost, -power, magnitude, negative, rounding)
    magnitude += up
    if magnitude > indefinite - (not negative):
        return indefinite, IE, 0
    value = (-magnitude if negative else magnitude) % (indefinite << 1)
    return value, PE if lost else 0, C1 if up else 0


def _rounds_up(lost: int, places: int, kept: int, negative: int, rounding: int) -> bool:
    """Whether `kept` grows by one where `lost`, of so many places, is dropped behind it."""
    if not lost:
        return False
    if rounding != NEAREST:
        return rounding == (DOWN if negative else UP)
    half = 1 << places - 1
    return lost > half or (lost == half and bool(kept & 1))
