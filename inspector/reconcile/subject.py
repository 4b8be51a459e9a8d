"""Whether both wings speak of the same run; if they do not, nothing else that they say can be compared."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from inspector.model.finding import Finding, Verdict
from inspector.model.prediction import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.model.observation import Observation
    from inspector.model.prediction import FileIdentity, Prediction

SUBJECT = "program"
"""The aspect of findings that the two are of different runs."""


def compare_subjects(prediction: Prediction, observation: Observation) -> Iterator[Finding]:
    """Yield one finding for each input of the run that differs; none for those that are equal.

    The working directory is left out: an absolute path does not depend on it. Who ran the program is judged
    by what it decides: the auxiliary vector. A process that was found running may have changed its own
    arguments, and only its file is compared.
    """
    if observation.verdict is not None:
        yield from _inputs(prediction, observation)
    yield from _contents(prediction, observation)


def compare_machines(prediction: Prediction, observation: Observation) -> Iterator[Finding]:
    """Yield one finding if the prediction was made for another machine, or the same under another kernel."""
    profile, host = prediction.profile, observation.host
    mine, seen = f"Linux {profile.kernel} {profile.machine}", f"Linux {host.kernel} {host.machine}"
    if mine != seen:
        yield Finding(
            "execve", "machine", "", mine, seen, Verdict.EXPLAINED, "observe.profile-of-another-machine"
        )


def _inputs(prediction: Prediction, observation: Observation) -> Iterator[Finding]:
    mine, seen = prediction.program, observation.program
    yield from _unequal("path", mine.path, seen.path)
    yield from _unequal_strings("argv", mine.argv, seen.argv)
    yield from _unequal_strings("envp", mine.envp, seen.envp)
    yield from _unequal("stdin", mine.stdin, seen.stdin)
    yield from _unequal("layout", mine.layout.value, seen.layout.value)
    yield from _unequal("stack limit", str(mine.limits.stack), str(seen.limits.stack))
    # What refuses a program does not depend on ASLR, so it may be predicted without.
    if _runs(prediction):
        yield from _unequal("ASLR", _switch(mine.randomize), _switch(seen.randomize))
    if prediction.bases is not None and observation.bases is not None:
        yield from _unequal("random bases", str(prediction.bases), str(observation.bases))


def _runs(prediction: Prediction) -> bool:
    return prediction.verdict is not None and prediction.verdict.outcome is Outcome.RUNS


def _switch(on: bool) -> str:
    return "on" if on else "off"


def _unequal(where: str, mine: str, seen: str) -> Iterator[Finding]:
    if mine != seen:
        yield Finding("execve", SUBJECT, where, mine, seen, Verdict.DIFFERS)


def _unequal_strings(name: str, mine: Sequence[str], seen: Sequence[str]) -> Iterator[Finding]:
    """Name the first string that differs, and how many more do."""
    wrong = [
        (number, left, right)
        for number, (left, right) in enumerate(zip_longest(mine, seen, fillvalue=None))
        if left != right
    ]
    if wrong:
        number, left, right = wrong[0]
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        shown = ["absent" if text is None else text for text in (left, right)]
        yield from _unequal(f"{name}[{number}]{more}", *shown)


def _contents(prediction: Prediction, observation: Observation) -> Iterator[Finding]:
    """Compare the program, its interpreter and its input by their SHA-256; places are the areas' business.

    Of a file too large to be hashed only the size is known.
    """
    for mine, seen in _same_files(prediction.files, observation):
        if mine is not None and seen is not None:
            if mine.sha256 is not None and seen.sha256 is not None:
                yield from _unequal(f"contents of {seen.path}", mine.sha256, seen.sha256)
            else:
                yield from _unequal(f"size of {seen.path}", str(mine.size), str(seen.size))
        elif mine is not None and _runs(prediction):
            yield Finding(
                "execve", SUBJECT, f"contents of {mine.path}", mine.sha256 or "", "", Verdict.UNOBSERVED
            )


def _same_files(
    predicted: Sequence[FileIdentity], observation: Observation
) -> Iterator[tuple[FileIdentity | None, FileIdentity | None]]:
    """Yield the files of both sides by pairs: what is mapped in its order, the input by its path."""
    given = observation.input
    # The program itself comes first, even where it reads from its own file.
    at = next((n for n, file in enumerate(predicted) if n and given and file.path == given.path), None)
    mapped = [file for n, file in enumerate(predicted) if n != at]
    yield from zip_longest(mapped, observation.files)
    if at is not None:
        yield predicted[at], given
