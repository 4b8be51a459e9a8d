"""What may differ without being wrong. Each tolerance is a rule, and applies only where its reason does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from inspector.model.vma import FileBacking

if TYPE_CHECKING:
    from inspector.model.observation import Observation
    from inspector.model.prediction import FileIdentity, Prediction
    from inspector.model.vma import Vma

_IDENTITY_COLUMNS = frozenset({"device", "inode", "name"})


@dataclass(frozen=True, slots=True)
class Tolerances:
    """The tolerances that hold between one prediction and one observation."""

    copies: frozenset[tuple[str, str]]
    """(path predicted from, path observed) of files with equal contents that are not the same file."""

    @classmethod
    def of(cls, prediction: Prediction, observation: Observation) -> Self:
        """Derive them from what the two were made from."""
        return cls(
            frozenset(
                (mine.path, seen.path)
                for mine in prediction.files
                for seen in observation.files
                if mine.sha256 == seen.sha256 and _place(mine) != _place(seen)
            )
        )

    def vma_column(self, column: str, predicted: Vma, observed: Vma) -> str | None:
        """Return the rule that explains a differing column of an area, if one does."""
        mine, seen = predicted.backing, observed.backing
        if (
            column in _IDENTITY_COLUMNS
            and isinstance(mine, FileBacking)
            and isinstance(seen, FileBacking)
            and (mine.path, seen.path) in self.copies
        ):
            return "observe.staged-copy"
        return None


def _place(identity: FileIdentity) -> tuple[str, tuple[int, int], int]:
    return identity.path, identity.device, identity.inode
