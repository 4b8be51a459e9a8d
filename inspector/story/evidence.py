"""What the story is told from: a prediction, perhaps an observation, and the files that execve opens."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile
from inspector.elf.header import ELF_MAGIC
from inspector.elf.script import BINPRM_BUF_SIZE, interpreters
from inspector.errors import CannotObserve, InspectorError
from inspector.layout.views import image_of, read_headers, read_image

if TYPE_CHECKING:
    from inspector.layout.views import ElfImage
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.program import Program
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file that execve opens: a script, or the program."""

    path: str
    first_bytes: bytes
    """As many as the kernel reads."""
    image: ElfImage | None
    """None: not an i386 ELF file."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Both wings, and the files."""

    prediction: Prediction
    observation: Observation | None
    files: tuple[OpenedFile, ...]
    """In the order in which execve comes to them; none that we cannot read."""
    fault_rule: str | None = None
    """Id of the rule by which page faults of the two wings may differ in this run; None: they may not."""

    @property
    def at_exec(self) -> Snapshot | None:
        """The process before its first instruction, as predicted. None: there is no process."""
        return next((each for each in self.prediction.snapshots if each.checkpoint == "exec"), None)

    @property
    def seen_at_exec(self) -> Snapshot | None:
        """The same, as observed."""
        seen = self.observation.snapshots if self.observation is not None else ()
        return next((each for each in seen if each.checkpoint == "exec"), None)

    def seen_area(self, vma: Vma) -> Vma | None:
        """Return the area that was observed at exec where `vma` begins."""
        seen = self.seen_at_exec
        return next((each for each in (seen.vmas if seen else None) or () if each.start == vma.start), None)


def read_files(program: Program) -> tuple[OpenedFile, ...]:
    """Return what execve finds on its way from `program` to the file whose code runs."""
    found = []
    for path in (program.path, *interpreters(program.path, program.cwd)):
        with suppress(OSError, ValueError, CannotObserve), ExecutableFile(path) as file:
            first = file.read(0, BINPRM_BUF_SIZE)
            found.append(OpenedFile(path, first, _image(file) if first.startswith(ELF_MAGIC) else None))
    return tuple(found)


def _image(file: ExecutableFile) -> ElfImage | None:
    """Return the file's parts; without sections where those do not hold together: no kernel minds."""
    try:
        return read_image(file)
    except InspectorError:
        with suppress(InspectorError):
            return image_of(file.path, *read_headers(file), ())
    return None
