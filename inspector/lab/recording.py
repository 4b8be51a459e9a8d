"""Truth recorded elsewhere, for a machine that cannot run the programs.

    DIRECTORY/profile.json    the machine that it was recorded on
    DIRECTORY/HASH.json       one observation: HASH is of the file, its arguments and what was asked

A recording stands for the live process only if it is of the same file (SHA-256) and of a machine on which the
question has the same answer: the profiles' digests agree (`machine_digest`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from inspector.errors import BadDocument
from inspector.lab.needs import Needs, NotTold
from inspector.lab.variant import file_sha256
from inspector.model.document import observation_document, parse_observation, profile_document
from inspector.model.saving import read_document, save_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inspector.lab.evidence import Source
    from inspector.lab.exercise import Exercise
    from inspector.lab.variant import Variant
    from inspector.model.observation import Observation
    from inspector.model.profile import MachineProfile

_SCHEMA: Literal["inspector.lab-recording/1"] = "inspector.lab-recording/1"
_Of = Literal["exec", "stops", "faults"]
_PROFILE = "profile.json"
_WORDS: dict[Needs, _Of] = {Needs.EXEC: "exec", Needs.STOPS: "stops", Needs.FAULTS: "faults"}
_OF_A_MOMENT = frozenset(
    {
        *("schema", "kernel", "machine", "boot_id", "ram_bytes", "swap_bytes", "binfmt_misc", "system"),
        *("vvar", "vvar_pages", "tsc", "vdso", "processor", "cpumask_bytes", "overcommit_memory", "native"),
        *("signal_frame", "entry_registers", "max_map_count"),
    }
)
"""What a profile tells that no question of a lab depends on."""


def machine_digest(profile: MachineProfile) -> str:
    """Return a hash of what answers depend on: where areas lie, what is probed of exec and faults."""
    facts = json.loads(profile_document(profile))
    for name in _OF_A_MOMENT & facts.keys():
        del facts[name]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class RecordingJson(msgspec.Struct, frozen=True):
    """One observation with what it is of."""

    schema: Literal["inspector.lab-recording/1"]
    program_sha256: str
    arguments: tuple[str, ...]
    of: _Of
    machine: str
    observation: msgspec.Raw


def _file_name(contents: bytes, arguments: tuple[str, ...], needs: Needs) -> str:
    asked = json.dumps([file_sha256(contents), arguments, _WORDS[needs]])
    return f"{hashlib.sha256(asked.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.json"


@dataclass(frozen=True, slots=True)
class Recordings:
    """A directory of recordings."""

    directory: Path
    machine: str
    """The digest of the machine that they were made on."""
    name: str
    """For results: `a recording made on Linux 6.18`."""

    @classmethod
    def open(cls, directory: str) -> Recordings:
        """Read what machine a directory's recordings are of. Raises BadDocument."""
        from inspector.observe.profile_store import load_profile

        profile = load_profile(str(Path(directory) / _PROFILE))
        return cls(Path(directory), machine_digest(profile), f"a recording made on Linux {profile.kernel}")

    def observation(self, contents: bytes, arguments: tuple[str, ...], needs: Needs) -> Observation:
        """Return what was recorded of a file. Raises NotTold where that is nothing, or of something else."""
        path = self.directory / _file_name(contents, arguments, needs)
        if not path.exists():
            raise NotTold("there is none of this program")
        data = read_document(str(path))
        try:
            recording = msgspec.json.decode(data, type=RecordingJson)
            observation = parse_observation(bytes(recording.observation), str(path))
        except (ValueError, RecursionError) as error:
            raise BadDocument(
                f"{path}: not a lab's recording", help="make it again: inspector lab record"
            ) from error
        hashes = {recording.program_sha256, *(file.sha256 for file in observation.files[:1])}
        if hashes != {file_sha256(contents)} or (recording.arguments, recording.of) != (
            arguments,
            _WORDS[needs],
        ):
            raise NotTold("it is of another program")
        if recording.machine != self.machine:
            raise NotTold("it is of another machine than its profile")
        return observation


def record(
    directory: str, exercise: Exercise, variants: Iterable[Variant], source: Source, profile: MachineProfile
) -> int:
    """Record all that an exercise's questions ask of `variants`; return how many files there are now.

    Raises InspectorError where this machine cannot tell something, CannotSave.
    """
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    digest = machine_digest(profile)
    save_atomically(str(target / _PROFILE), profile_document(profile) + b"\n")
    count = 0
    needs = {question.evidence for question in exercise.questions} - {Needs.NOTHING}
    several = exercise.variant.gives() >= {"several files"}
    for variant in variants:
        for contents in (*variant.files.values(), *variant.hidden.values()):
            arguments = () if several else variant.arguments
            for need in needs:
                observation = source.observation(contents, arguments, need)
                recording = RecordingJson(
                    _SCHEMA,
                    file_sha256(contents),
                    arguments,
                    _WORDS[need],
                    digest,
                    msgspec.Raw(observation_document(observation)),
                )
                path = target / _file_name(contents, arguments, need)
                save_atomically(str(path), msgspec.json.encode(recording) + b"\n")
                count += 1
    return count
