"""What the strategies of all documents are made of: text, numbers, registers."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from inspector.model.address import VirtAddr
from inspector.model.registers import REGISTER_NAMES, Registers
from inspector.rules import RULES

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    T = TypeVar("T")


def every(kind: type[T], /, **parts: SearchStrategy[Any]) -> SearchStrategy[T]:
    """Build `kind` from a strategy for each of its fields: a field without one would never be tested."""
    assert set(parts) == {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return st.builds(kind, **parts)


def few(items: SearchStrategy[T], most: int = 3) -> SearchStrategy[tuple[T, ...]]:
    return st.lists(items, max_size=most).map(tuple)


def maybe(items: SearchStrategy[T]) -> SearchStrategy[T | None]:
    return st.none() | items


# What os.fsdecode makes of any bytes; any text; and what the escape is made of.
texts = (
    st.binary(max_size=12).map(lambda data: data.decode("utf-8", "surrogateescape"))
    | st.text(max_size=12)
    | st.text("a�\udc80\udcff\udcef\udcbf\udcbd\0\\80f", max_size=8)
)
words = st.integers(0, (1 << 64) - 1)
addresses = words.map(VirtAddr)
half_words = st.integers(0, 0xFFFF_FFFF)
counts = st.integers(0, (1 << 63) - 1)
vpns = st.integers(0, 40).map(lambda n: n + 0x8048) | st.integers(0, (1 << 52) - 64)
page_addresses = vpns.map(lambda vpn: VirtAddr(vpn << 12))
devices = st.tuples(st.integers(0, 0xFFF), st.integers(0, 0xFFFFF))
rule_ids = st.sampled_from(sorted(RULES))
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)

registers = every(Registers, **dict.fromkeys(REGISTER_NAMES, half_words))
