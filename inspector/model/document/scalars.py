"""The scalars of the JSON contract, with the patterns that its schemas show."""

from typing import Annotated

from msgspec import Meta

MAX_NUMBER = (1 << 63) - 1

Hex = Annotated[str, Meta(pattern=r"^0x(0|[1-9a-f][0-9a-f]{0,15})$")]
"""An address, or another number that is read in hexadecimal; up to 64 bits."""
Hex32 = Annotated[str, Meta(pattern=r"^0x(0|[1-9a-f][0-9a-f]{0,7})$")]
PageHex = Annotated[str, Meta(pattern=r"^0x(0|[1-9a-f][0-9a-f]{0,12}000)$")]
"""The first address of a page."""
Count = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
Inode = Annotated[int, Meta(ge=0)]
"""Up to 64 bits, which is more than a pattern can say: see `from_inode`."""
Device = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{2,8}:[0-9a-f]{2,8}$", description="major:minor, as maps prints it")
]
Bytes16 = Annotated[str, Meta(pattern=r"^[0-9a-f]*$", description="bytes, two hexadecimal digits each")]
"""That they are two each is no part of the pattern: a group takes 80 bytes for each time it is repeated."""


def to_hex(number: int) -> str:
    """Render an address: `0x8048000`."""
    return f"{number:#x}"


def from_hex(text: str) -> int:
    """Return the number that `to_hex` rendered."""
    return int(text, 16)


def to_hex_or_none(number: int | None) -> str | None:
    """Render an address that may be unknown."""
    return None if number is None else f"{number:#x}"


def from_hex_or_none(text: str | None) -> int | None:
    """Return the number that `to_hex_or_none` rendered."""
    return None if text is None else int(text, 16)


def to_device(device: tuple[int, int]) -> str:
    """Render (major, minor) as maps does: `fe:00`."""
    return f"{device[0]:02x}:{device[1]:02x}"


def from_device(text: str) -> tuple[int, int]:
    """Return (major, minor) of what `to_device` rendered."""
    major, _, minor = text.partition(":")
    return int(major, 16), int(minor, 16)


def from_inode(number: int) -> int:
    """Return `number`. Raises ValueError if it is larger than an inode number can be."""
    if number >> 64:
        raise ValueError(f"no inode number: {number:#x}")
    return number


def from_bytes16(text: str) -> bytes:
    """Return the bytes of a Bytes16. Raises ValueError where a digit is left over."""
    if len(text) % 2:
        raise ValueError("an odd number of hexadecimal digits")
    return bytes.fromhex(text)
