"""A program of a few instructions, its story, and observations of it that agree or do not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.model.fault_trace import FaultSource
from inspector.observe.tiny_elf import Assembler, Segment, link
from inspector.predict import predict
from inspector.story.evidence import Evidence, read_files
from inspector.story.tell import tell
from tests.machines import PROFILE, write_program
from tests.unit.reconcile.agreeing import seen

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.profile import MachineProfile
    from inspector.model.program import Layout
    from inspector.story import Step, Story

BASE = 0x08048000
DATA = 0x08050000


def touching() -> bytes:
    """Return a program that reads and writes data in the file, then zeros behind them, and exits with 7."""
    assembler = Assembler(BASE)
    assembler.read_byte(DATA + 0x123)
    assembler.write_byte(DATA + 0x124)
    assembler.write_byte(DATA + 0x2010)
    assembler.exit(7)
    data = Segment(DATA, memsz=0x3000, filesz=0x1800, offset=0)
    image = link(assembler, entry=assembler.start, segments=(data,))
    return image.ljust(0x3000, b"\0")


def predicted(
    directory: Path, image: bytes, profile: MachineProfile = PROFILE, layout: Layout | None = None
) -> Prediction:
    program = write_program(directory, image)
    return predict(program if layout is None else replace(program, layout=layout), profile)


def observed(prediction: Prediction) -> Observation:
    """Return the observation that agrees, to the last fault."""
    faults = tuple(
        replace(fault, kind=None, area=None, mapped=None, file_offset=None)
        for fault in prediction.faults or ()
    )
    return replace(
        seen(prediction),
        faults=faults if prediction.faults is not None else None,
        fault_source=FaultSource.TRACEPOINTS.value,
        ending=prediction.ending,
    )


def story_of(prediction: Prediction, observation: Observation | None = None, *, faults: int = 5) -> Story:
    evidence = Evidence(prediction, observation, read_files(prediction.program))
    return tell(evidence, faults=faults, unobserved=None if observation else "--predict-only")


def step(story: Story, title: str) -> Step:
    """Return the only step whose title begins so."""
    (found,) = [each for each in story.steps if each.title.startswith(title)]
    return found


def told(step: Step) -> dict[str, str]:
    return {each.label: each.text for each in step.told}


def values(step: Step) -> dict[str, str]:
    return {each.label: each.predicted for each in step.values}
