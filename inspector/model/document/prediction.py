"""`inspector.prediction/2`: what Linux will do, with the machine it is predicted for."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from inspector.model.document.codec import DocumentKind
from inspector.model.document.ending import EndingJson, ending_json, ending_of
from inspector.model.document.fault import Faults, faults_json, faults_of
from inspector.model.document.profile import ProfileJson, profile_json, profile_of
from inspector.model.document.program import (
    BasesJson,
    FileJson,
    ProgramJson,
    VerdictJson,
    bases_json,
    bases_of,
    file_json,
    file_of,
    program_json,
    program_of,
    verdict_json,
    verdict_of,
)
from inspector.model.document.scalars import Hex, from_hex_or_none, to_hex_or_none
from inspector.model.document.snapshot import (
    SnapshotJson,
    StackJson,
    snapshot_json,
    snapshots_of,
    stack_json,
)
from inspector.model.ending import Ending
from inspector.model.prediction import Assumption, NotModelledAt, Prediction, ScriptChain


class NotModelledJson(Struct, frozen=True):
    """What the simulation would have needed; `ip` is null where no instruction is involved.

    `help` says what to do about it, where there is something.
    """

    what: str
    ip: Hex | None
    help: str | UnsetType = UNSET


class PredictedEndingJson(EndingJson, frozen=True):
    """How the process will end, or `not_modelled` alone: where the simulation stopped."""

    not_modelled: NotModelledJson | UnsetType = UNSET


class AssumptionJson(Struct, frozen=True):
    """Something the prediction was told rather than derived."""

    name: str
    value: str


class ScriptJson(Struct, frozen=True):
    """How execve came from a script to a program: what each `#!` line names in turn, and the final argv."""

    interpreters: Annotated[tuple[str, ...], Meta(min_length=1)]
    argv: tuple[str, ...]


class PredictionJson(Struct, frozen=True):
    """What Linux will do with `program` on the machine of `profile`."""

    schema: Literal["inspector.prediction/2"]
    program: ProgramJson
    verdict: Annotated[VerdictJson | None, Meta(description="null: not modelled, see `ending`")]
    snapshots: tuple[SnapshotJson, ...]
    faults: Annotated[Faults, Meta(description="null: the sequence is not predicted, only counted")]
    stack: Annotated[StackJson | None, Meta(description="at exec; null: there is no such snapshot")]
    ending: Annotated[
        PredictedEndingJson | None, Meta(description="null: predicted as far as it was asked for")
    ]
    files: tuple[FileJson, ...]
    bases: Annotated[BasesJson | None, Meta(description="null: without ASLR")]
    assumptions: tuple[AssumptionJson, ...]
    profile: ProfileJson
    script: Annotated[ScriptJson | None, Meta(description="null: execve is not given a script")] = None
    unreached: Annotated[
        tuple[str, ...], Meta(description="the stops that were asked for, and that it never comes to")
    ] = ()
    children: Annotated[
        tuple[EndingJson, ...],
        Meta(description="how process 1 and those after it end; only with a status or signal"),
    ] = ()


KIND = DocumentKind("prediction", 2, PredictionJson, "`inspector predict --json FILE`")


def prediction_json(prediction: Prediction) -> PredictionJson:
    """Return the JSON type of `prediction`."""
    return PredictionJson(
        schema="inspector.prediction/2",
        program=program_json(prediction.program),
        verdict=verdict_json(prediction.verdict),
        snapshots=tuple(map(snapshot_json, prediction.snapshots)),
        faults=faults_json(prediction.faults),
        stack=stack_json(prediction.snapshots),
        ending=_ending_json(prediction),
        files=tuple(map(file_json, prediction.files)),
        bases=bases_json(prediction.bases),
        assumptions=tuple(AssumptionJson(told.name, told.value) for told in prediction.assumptions),
        profile=profile_json(prediction.profile),
        script=_script_json(prediction.script),
        unreached=prediction.unreached,
        children=tuple(map(ending_json, prediction.children)),
    )


def prediction_of(json: PredictionJson) -> Prediction:
    """Undo `prediction_json`. Raises ValueError for what no prediction can be."""
    ending, limit = _ending_of(json.ending)
    return Prediction(
        program=program_of(json.program),
        profile=profile_of(json.profile),
        verdict=verdict_of(json.verdict),
        files=tuple(map(file_of, json.files)),
        script=None if json.script is None else ScriptChain(json.script.interpreters, json.script.argv),
        snapshots=snapshots_of(json.snapshots, json.stack),
        not_modelled=limit,
        bases=bases_of(json.bases),
        assumptions=tuple(Assumption(told.name, told.value) for told in json.assumptions),
        faults=faults_of(json.faults),
        ending=ending,
        children=tuple(map(ending_of, json.children)),
        unreached=json.unreached,
    )


def _script_json(script: ScriptChain | None) -> ScriptJson | None:
    return None if script is None else ScriptJson(script.interpreters, script.argv)


def _ending_json(prediction: Prediction) -> PredictedEndingJson | None:
    limit, ending = prediction.not_modelled, prediction.ending
    if limit is not None:
        limit_json = NotModelledJson(limit.what, to_hex_or_none(limit.ip), limit.help or UNSET)
        return PredictedEndingJson(not_modelled=limit_json)
    if ending is None:
        return None
    json = ending_json(ending)
    return PredictedEndingJson(json.status, json.signal, json.code, json.address)


def _ending_of(json: PredictedEndingJson | None) -> tuple[Ending | None, NotModelledAt | None]:
    if json is None:
        return None, None
    if isinstance(json.not_modelled, UnsetType):
        return ending_of(json), None
    if (json.status, json.signal) != (UNSET, UNSET):
        raise ValueError("the prediction ends twice")
    limit = json.not_modelled
    told = "" if isinstance(limit.help, UnsetType) else limit.help
    return None, NotModelledAt(limit.what, from_hex_or_none(limit.ip), told)
