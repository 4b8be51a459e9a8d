"""Choices that follow from a secret and a student's name, the same on every machine and every Python.

key = HMAC-SHA256(secret, exercise, student); the choices are read off HMAC-SHA256(key, 0), (key, 1), ...
Without the secret no one can tell what another student was given, or make a variant of their own.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_WORD_BYTES = 8


def variant_key(secret: bytes, exercise: str, student: str) -> bytes:
    """Return the key of one student's variant; its length, 32 bytes, tells nothing of the secret's."""
    words = (exercise.encode(), student.encode("utf-8", "surrogateescape"))
    # Each with its length before it, so that no two pairs read the same.
    message = b"".join(len(word).to_bytes(_WORD_BYTES, "big") + word for word in words)
    return hmac.new(secret, message, hashlib.sha256).digest()


class Draw:
    """A stream of choices. Two with one key make the same choices."""

    def __init__(self, key: bytes) -> None:
        """`key` decides them all."""
        self._key = key
        self._block = 0
        self._words: list[int] = []

    def branch(self, name: str) -> Draw:
        """Return a stream of its own for one part, so that a change in another part does not move it."""
        return Draw(hmac.new(self._key, name.encode(), hashlib.sha256).digest())

    def below(self, limit: int) -> int:
        """Return a number from 0 to `limit` - 1, each as likely as the others."""
        ceiling = (1 << 8 * _WORD_BYTES) // limit * limit
        while (word := self._word()) >= ceiling:
            pass
        return word % limit

    def between(self, first: int, last: int) -> int:
        """Return a number from `first` to `last`, both included."""
        return first + self.below(last - first + 1)

    def choice(self, items: Sequence[T]) -> T:
        """Return one of `items`."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """Return `count` of `items`, each at most once, in an order of chance."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(count)]

    def _word(self) -> int:
        if not self._words:
            block = hmac.new(self._key, self._block.to_bytes(_WORD_BYTES, "big"), hashlib.sha256).digest()
            self._block += 1
            self._words = [
                int.from_bytes(block[at : at + _WORD_BYTES], "big")
                for at in range(0, len(block), _WORD_BYTES)
            ]
        return self._words.pop()
