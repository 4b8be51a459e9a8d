"""What may differ without being wrong. Each tolerance is a rule, and applies only where its reason does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from inspector.model.folio import UNSEEN, told_of
from inspector.model.vma import FileBacking
from inspector.reconcile.passed_over import PASSED_OVER, Candidates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.address import Vpn
    from inspector.model.observation import Observation
    from inspector.model.prediction import FileIdentity, Prediction
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma

_IDENTITY_COLUMNS = frozenset({"device", "inode", "name"})


@dataclass(frozen=True, slots=True)
class Tolerances:
    """The tolerances that hold between one prediction and one observation."""

    copies: frozenset[tuple[str, str]]
    """(path predicted from, path observed) of files with equal contents that are not the same file."""

    first_reads: bool
    """Whether some file of the observed process may have been read from a disk."""
    cache_unknown: bool
    """Whether the prediction was not told how the page cache holds files, or had to leave some to a disk."""
    cached_otherwise: frozenset[str]
    """Files of which the observed process found other large folios than the prediction was told of."""
    staged: str | None
    """The observed program's path, if it lies on a tmpfs."""
    shared_inodes: frozenset[tuple[int, int]]
    """(inode predicted, inode observed) of files in memory that stand for each other, one for one."""
    passed_over: Candidates
    """Pages that fault-around may have passed over; none without a sign of what makes it do so."""

    @classmethod
    def of(cls, prediction: Prediction, observation: Observation) -> Self:
        """Derive them from what the two were made from."""
        return cls(
            frozenset(
                (mine.path, seen.path)
                for mine in prediction.files
                for seen in observation.files
                if mine.sha256 is not None and mine.sha256 == seen.sha256 and _place(mine) != _place(seen)
            ),
            _may_read_disk(observation),
            any(assumption.name == UNSEEN for assumption in prediction.assumptions)
            or _had_to_read(prediction, observation),
            frozenset(_cached_otherwise(prediction, observation)),
            observation.program.path if _is_staged(observation) else None,
            _shared_inodes(prediction, observation),
            Candidates.of(prediction, observation),
        )

    @classmethod
    def none(cls) -> Self:
        """Return none at all: the two saw the same file, in memory."""
        return cls(
            frozenset(),
            first_reads=False,
            cache_unknown=False,
            cached_otherwise=frozenset(),
            staged=None,
            shared_inodes=frozenset(),
            passed_over=Candidates(),
        )

    def vma_column(self, column: str, predicted: Vma, observed: Vma) -> str | None:
        """Return the rule that explains a differing column of an area, if one does."""
        mine, seen = predicted.backing, observed.backing
        if not isinstance(mine, FileBacking) or not isinstance(seen, FileBacking):
            return None
        if column in _IDENTITY_COLUMNS and (mine.path, seen.path) in self.copies:
            return "observe.staged-copy"
        in_memory = mine.is_shared_memory and seen.is_shared_memory
        if column == "inode" and in_memory and (mine.inode, seen.inode) in self.shared_inodes:
            return "vma.shared-inode"
        return None

    def same_file(self, predicted: str | None, observed: str | None) -> bool:
        """Whether the two paths are of the same file, or of copies of one."""
        return predicted == observed or (predicted, observed) in self.copies

    def page(self, vpn: Vpn, area: Vma | None, predicted: str, observed: str) -> str | None:
        """Return the rule that explains a page that is resident on one side only, if one does."""
        if {predicted, observed} != {"file", "absent"}:
            return None
        passed = predicted == "file" and vpn in self.passed_over
        return self.fault(area) or (PASSED_OVER if passed else None)

    def fault(self, area: Vma | None) -> str | None:
        """Return the rule that explains a fault in `area` that one side alone has, if one does."""
        return self.cached(area.backing.path if area and isinstance(area.backing, FileBacking) else None)

    def cached(self, path: str | None) -> str | None:
        """Return the rule that explains a page of the file at `path` that only one side maps, if one does."""
        if path is None:
            return None
        unknown = self.cache_unknown and path != self.staged
        return "fault.page-cache" if unknown or path in self.cached_otherwise else None

    def fault_counts(self, predicted: Snapshot, observed: Snapshot) -> str | None:
        """Return the rule that explains why the counts of faults differ, if one does.

        execve itself only writes, which maps nothing around: there the sum of both counts holds. Later on,
        what had to be read was not there to be mapped around an earlier fault either: the sum may differ too.
        """
        return self._counts_of_reading(predicted, observed) or (
            PASSED_OVER if self.passed_over.explain_counts(predicted, observed) else None
        )

    def _counts_of_reading(self, predicted: Snapshot, observed: Snapshot) -> str | None:
        if not self.first_reads and not self.cached_otherwise:
            return None
        match (predicted.minor_faults, predicted.major_faults, observed.minor_faults, observed.major_faults):
            case (int(minor), int(major), int(minor_seen), int(major_seen)):
                same_sum = minor + major == minor_seen + major_seen
                if major_seen > major and (same_sum or predicted.checkpoint != "exec"):
                    return "observe.first-read-major"
                if (
                    (self.cache_unknown or self.cached_otherwise)
                    and not same_sum
                    and predicted.checkpoint != "exec"
                ):
                    return "fault.page-cache"
        return None


def _had_to_read(prediction: Prediction, observation: Observation) -> bool:
    """Whether the observed process has waited for a disk more often than was predicted."""
    predicted = {snapshot.checkpoint: snapshot.major_faults or 0 for snapshot in prediction.snapshots}
    return any(
        (snapshot.major_faults or 0) > predicted.get(snapshot.checkpoint, 0)
        for snapshot in observation.snapshots
    )


def _cached_otherwise(prediction: Prediction, observation: Observation) -> Iterator[str]:
    """Yield the files that the two saw otherwise; where a prediction was told nothing, it took none."""
    told = {assumption.name: assumption.value for assumption in prediction.assumptions}
    if UNSEEN in told:
        return
    for path, pages in observation.large_folios:
        if told.get(told_of(path), "pages none") != f"pages {pages}":
            yield path


def _shared_inodes(prediction: Prediction, observation: Observation) -> frozenset[tuple[int, int]]:
    """Return which inodes of files in memory stand for each other in all snapshots, and for no third one."""
    pairs = set()
    observed = {snapshot.checkpoint: snapshot.vmas or () for snapshot in observation.snapshots}
    for snapshot in prediction.snapshots:
        seen = {vma.start: vma.backing for vma in observed.get(snapshot.checkpoint, ())}
        for vma in snapshot.vmas or ():
            mine, other = vma.backing, seen.get(vma.start)
            if isinstance(mine, FileBacking) and isinstance(other, FileBacking) and mine.is_shared_memory:
                pairs.add((mine.inode, other.inode))
    of_mine, of_seen = Counter(mine for mine, _ in pairs), Counter(seen for _, seen in pairs)
    return frozenset(pair for pair in pairs if of_mine[pair[0]] == of_seen[pair[1]] == 1)


def _may_read_disk(observation: Observation) -> bool:
    """A staged program lies on a tmpfs, which is memory; its interpreter stays where it is."""
    interpreters = observation.files[1:]
    return not _is_staged(observation) or bool(interpreters)


def _is_staged(observation: Observation) -> bool:
    return observation.program.path != observation.program.requested


def _place(identity: FileIdentity) -> tuple[str, tuple[int, int], int]:
    return identity.path, identity.device, identity.inode
