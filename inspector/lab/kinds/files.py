"""Questions about files: execve's verdict on each, and which segment holds a section."""

from __future__ import annotations

import errno as errnos
import signal
import tempfile
from typing import TYPE_CHECKING, ClassVar

from inspector.elf.file import ExecutableFile
from inspector.lab.kinds.base import Question
from inspector.lab.needs import Needs, NotTold
from inspector.lab.table import BadAnswer, Column, Row, Truth, quoted, read_number, show_plain
from inspector.layout.views import read_image
from inspector.model.prediction import Outcome

if TYPE_CHECKING:
    from inspector.lab.evidence import Evidence
    from inspector.lab.table import Value
    from inspector.lab.variant import Variant
    from inspector.model.prediction import ExecVerdict

_ERRNO_NAMES = frozenset(errnos.errorcode.values())
_SIGNAL_NAMES = frozenset(each.name for each in signal.Signals)


def read_verdict(text: str) -> Value:
    """Return `runs`, an errno or a signal, `refused:` or `killed:` before it or not. Raises BadAnswer."""
    word = text.strip().lower()
    for before in ("refused", "killed"):
        word = word.removeprefix(before).lstrip(": ")
    if word == "runs":
        return word
    word = word.upper()
    if word in _ERRNO_NAMES or word in _SIGNAL_NAMES:
        return word
    raise BadAnswer(f"{quoted(text)} is no answer of execve", help="write runs, ENOEXEC, SIGSEGV or the like")


def verdict_word(verdict: ExecVerdict) -> str:
    """Return a verdict as answers give it."""
    if verdict.outcome is Outcome.RUNS:
        return "runs"
    return verdict.errno or verdict.signal or verdict.outcome.value


VERDICT = Column("verdict", read_verdict, show_plain)


class ExecveVerdict(Question, frozen=True, kw_only=True, tag="execve-verdict"):
    """What execve does with each of the files: it runs, is refused by an errno, or killed by a signal."""

    @property
    def evidence(self) -> Needs:
        """Each file is executed, up to its first instruction."""
        return Needs.EXEC

    def columns(self) -> tuple[Column, ...]:
        """Return the verdict."""
        return (VERDICT,)

    def keys(self, variant: Variant) -> tuple[str, ...]:
        """Return the files' names."""
        return tuple(variant.files)

    def form(self) -> str:
        """Return what may be written."""
        return "runs, an errno (ENOEXEC), or the signal that kills it (SIGSEGV)"

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return the verdicts. Raises NotTold."""
        rows, sources = [], {}
        for name, contents in variant.files.items():
            observation, source = evidence.observe(contents, variant.arguments, self.evidence)
            sources[source] = True
            word = None if observation.verdict is None else verdict_word(observation.verdict)
            rows.append(Row(name, (word,), self.why))
        return Truth(tuple(rows), ", ".join(sources))


_NOT_LOADED = "none"


class SectionsToSegments(Question, frozen=True, kw_only=True, tag="sections-to-segments"):
    """Which loadable segment (PT_LOAD) each section lies in, by the number of its program header, or none.

    The truth is the file's own: binutils' rule, as `readelf -l` applies it.
    """

    atomic: ClassVar[bool] = True

    def columns(self) -> tuple[Column, ...]:
        """Return the number."""
        return (Column("segment", self._read, show_plain),)

    @staticmethod
    def _read(text: str) -> Value:
        word = text.strip().lower()
        if word in (_NOT_LOADED, "-", "not loaded"):
            return _NOT_LOADED
        return read_number(word)

    def keys(self, variant: Variant) -> tuple[str, ...]:
        """Return the sections' names."""
        return tuple(self._segments(variant))

    def form(self) -> str:
        """Return what may be written."""
        return (
            "the number of a program header of type LOAD, counted from 0 among all program headers, or none"
        )

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return the segment of each section."""
        del evidence
        segments = self._segments(variant)
        return Truth(tuple(Row(name, (number,), self.why) for name, number in segments.items()), "the file")

    @staticmethod
    def _segments(variant: Variant) -> dict[str, Value]:
        with tempfile.NamedTemporaryFile(prefix="inspector-lab-") as copy:
            copy.write(variant.files[variant.program or ""])
            copy.flush()
            with ExecutableFile(copy.name) as file:
                image = read_image(file)
        if not image.sections:
            raise NotTold("the file has no sections")
        found: dict[str, Value] = {section.name: _NOT_LOADED for section in image.sections if section.name}
        for number in image.loads:
            found.update((section.name, number) for section in image.members[number])
        return found
