"""What one student is given: files, and the numbers that questions are about."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inspector.simulators.overlay import Call, Tree


@dataclass(frozen=True, slots=True)
class Variant:
    """One student's files and numbers. What an exercise has no use for is empty or None."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    """By name, in the order in which questions list them."""
    program: str | None = None
    """Which of the files is the program that is run."""
    hidden: Mapping[str, bytes] = field(default_factory=dict)
    """Files that grading uses and the student does not get."""
    arguments: tuple[str, ...] = ()
    """argv[1] and on."""
    marks: Mapping[str, int] = field(default_factory=dict)
    """Addresses that questions name."""
    tree: Tree | None = None
    calls: tuple[Call, ...] = ()
    references: tuple[int, ...] = ()
    pages: tuple[int, ...] = ()
    """Virtual page numbers."""

    @property
    def sha256(self) -> str:
        """A hash of everything in it, in hexadecimal: which variant this is."""
        digest = hashlib.sha256()
        parts = [
            f"{self.program}|{self.arguments}|{sorted(self.marks.items())}|{self.references}|{self.pages}"
        ]
        if self.tree is not None:
            parts += [f"{each.name} {each.size} {each.address:#x}" for each in self.tree.modules.values()]
        parts += [f"{call.callee} {call.directly}" for call in self.calls]
        for name, contents in (*self.files.items(), *self.hidden.items()):
            parts.append(f"{name} {hashlib.sha256(contents).hexdigest()}")
        digest.update("\n".join(parts).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def file_sha256(contents: bytes) -> str:
    """Return a file's hash, in hexadecimal."""
    return hashlib.sha256(contents).hexdigest()
