"""The comparison itself: the run, execve's answer, every checkpoint, the page faults, the end."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from inspector.model.finding import Finding, Verdict
from inspector.model.prediction import Outcome
from inspector.reconcile.faults import CHECKPOINT, compare_faults
from inspector.reconcile.snapshot import compare_snapshots
from inspector.reconcile.subject import compare_machines, compare_subjects
from inspector.reconcile.tolerance import Tolerances

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.ending import Ending
    from inspector.model.observation import Observation
    from inspector.model.prediction import ExecVerdict, Prediction
    from inspector.model.snapshot import Snapshot

STOP = "stop"
"""The aspect of findings about a stop that one wing or both never came to."""
NEVER_REACHED = "never reached"


def compare(prediction: Prediction, observation: Observation) -> Iterator[Finding]:
    """Yield the findings of every aspect; of two different runs, only in what they differ.

    The checkpoints of each wing have distinct names.
    """
    subject = list(compare_subjects(prediction, observation))
    yield from subject
    if any(finding.verdict is Verdict.DIFFERS for finding in subject):
        return
    yield from compare_machines(prediction, observation)
    yield from _verdict(prediction, observation.verdict)
    if prediction.verdict is None or prediction.verdict.outcome is not Outcome.RUNS:
        return
    yield from _checkpoints(prediction, observation)
    yield from compare_faults(prediction, observation)
    yield from _ending(prediction.ending, observation.ending)
    for number, (mine, seen) in enumerate(zip_longest(prediction.children, observation.children), start=1):
        yield from _ending(mine, seen, f"process {number}")


def _checkpoints(prediction: Prediction, observation: Observation) -> Iterator[Finding]:
    """Compare what is there on both sides, and name what is not.

    That the program never came to a stop says something only of a run that was followed to its end.
    """
    tolerances = Tolerances.of(prediction, observation)
    predicted = {snapshot.checkpoint: snapshot for snapshot in prediction.snapshots}
    observed = {snapshot.checkpoint: snapshot for snapshot in observation.snapshots}
    for checkpoint, seen in observed.items():
        if checkpoint in predicted:
            yield from compare_snapshots(predicted[checkpoint], seen, tolerances)
        elif checkpoint in prediction.unreached:
            yield Finding(checkpoint, STOP, "", NEVER_REACHED, "reached", Verdict.DIFFERS)
        else:
            yield Finding(checkpoint, "snapshot", "", "", _summary(seen), Verdict.NOT_PREDICTED)
    ended = observation.ending is not None and observation.cut_short is None
    for checkpoint in predicted:
        if checkpoint in observed:
            continue
        if ended and checkpoint in observation.unreached:
            yield Finding(checkpoint, STOP, "", "reached", NEVER_REACHED, Verdict.DIFFERS)
        else:
            yield Finding(checkpoint, "snapshot", "", "predicted", "", Verdict.UNOBSERVED)
    for checkpoint in observation.unreached:
        if checkpoint not in predicted:
            said = NEVER_REACHED if checkpoint in prediction.unreached else ""
            words = NEVER_REACHED if ended else "not reached"
            yield Finding(checkpoint, STOP, "", said, words, Verdict.UNOBSERVED)


def compare_exec(
    prediction: Prediction, verdict: ExecVerdict, snapshot: Snapshot | None
) -> Iterator[Finding]:
    """Yield the findings of an execve that was looked at and no further: its answer, the process if any.

    Both are known to be of the same file at the same path, so there is nothing to tolerate.
    """
    yield from _verdict(prediction, verdict)
    if snapshot is not None and prediction.snapshots:
        yield from compare_snapshots(prediction.snapshots[0], snapshot, Tolerances.none())


def _verdict(prediction: Prediction, seen: ExecVerdict | None) -> Iterator[Finding]:
    rule = prediction.verdict.rule if prediction.verdict else None
    if prediction.verdict is None:
        what = f"not modelled: {prediction.not_modelled.what}" if prediction.not_modelled else ""
        yield Finding("execve", "verdict", "", what, str(seen or ""), Verdict.NOT_PREDICTED)
    elif seen is None:
        yield Finding("execve", "verdict", "", str(prediction.verdict), "", Verdict.UNOBSERVED)
    else:
        same = str(prediction.verdict) == str(seen)
        verdict = Verdict.AGREES if same else Verdict.DIFFERS
        yield Finding("execve", "verdict", "", str(prediction.verdict), str(seen), verdict, rule)


def _ending(predicted: Ending | None, observed: Ending | None, where: str = "") -> Iterator[Finding]:
    """Compare how a process ends; of a signal, its code and address where they were seen.

    `where` names one that was forked.
    """
    if predicted is None:
        return
    if observed is None:
        yield Finding(CHECKPOINT, "ending", where, predicted.in_full, "", Verdict.UNOBSERVED)
        return
    details = ((predicted.code, observed.code), (predicted.address, observed.address))
    same = str(predicted) == str(observed) and all(mine == seen for mine, seen in details if seen is not None)
    verdict = Verdict.AGREES if same else Verdict.DIFFERS
    yield Finding(CHECKPOINT, "ending", where, predicted.in_full, observed.in_full, verdict)


def _summary(snapshot: Snapshot) -> str:
    parts = []
    if snapshot.vmas is not None:
        parts.append(f"{len(snapshot.vmas)} VMAs")
    if snapshot.pages is not None:
        parts.append(f"{len(snapshot.pages)} pages")
    if snapshot.minor_faults is not None:
        parts.append(f"{snapshot.minor_faults} minor faults")
    return ", ".join(parts)
