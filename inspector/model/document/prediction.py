"""`inspector.prediction/1`: what Linux will do, with the machine it is predicted for."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from inspector.model.document.codec import DocumentKind
from inspector.model.document.fault import FaultJson
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
from inspector.model.prediction import Assumption, NotModelledAt, Prediction


class NotModelledJson(Struct, frozen=True):
    """What the simulation would have needed; `ip` is null where no instruction is involved."""

    what: str
    ip: Hex | None


class PredictedEndingJson(Struct, frozen=True):
    """How the prediction ends, other than at the checkpoint it was asked for."""

    not_modelled: NotModelledJson


class AssumptionJson(Struct, frozen=True):
    """Something the prediction was told rather than derived."""

    name: str
    value: str


class PredictionJson(Struct, frozen=True):
    """What Linux will do with `program` on the machine of `profile`."""

    schema: Literal["inspector.prediction/1"]
    program: ProgramJson
    verdict: Annotated[VerdictJson | None, Meta(description="null: not modelled, see `ending`")]
    snapshots: tuple[SnapshotJson, ...]
    faults: Annotated[
        tuple[FaultJson, ...] | None, Meta(description="null: the sequence is not predicted, only counted")
    ]
    stack: Annotated[StackJson | None, Meta(description="at exec; null: there is no such snapshot")]
    ending: Annotated[
        PredictedEndingJson | None, Meta(description="null: predicted as far as it was asked for")
    ]
    files: tuple[FileJson, ...]
    bases: Annotated[BasesJson | None, Meta(description="null: without ASLR")]
    assumptions: tuple[AssumptionJson, ...]
    profile: ProfileJson


KIND = DocumentKind("prediction", 1, PredictionJson, "`inspector predict --json FILE`")


def prediction_json(prediction: Prediction) -> PredictionJson:
    """Return the JSON type of `prediction`."""
    limit = prediction.not_modelled
    ending = None if limit is None else NotModelledJson(limit.what, to_hex_or_none(limit.ip))
    return PredictionJson(
        schema="inspector.prediction/1",
        program=program_json(prediction.program),
        verdict=verdict_json(prediction.verdict),
        snapshots=tuple(map(snapshot_json, prediction.snapshots)),
        faults=None,
        stack=stack_json(prediction.snapshots),
        ending=None if ending is None else PredictedEndingJson(ending),
        files=tuple(map(file_json, prediction.files)),
        bases=bases_json(prediction.bases),
        assumptions=tuple(AssumptionJson(told.name, told.value) for told in prediction.assumptions),
        profile=profile_json(prediction.profile),
    )


def prediction_of(json: PredictionJson) -> Prediction:
    """Undo `prediction_json`. Raises ValueError for what no prediction can be."""
    limit = None if json.ending is None else json.ending.not_modelled
    return Prediction(
        program=program_of(json.program),
        profile=profile_of(json.profile),
        verdict=verdict_of(json.verdict),
        files=tuple(map(file_of, json.files)),
        snapshots=snapshots_of(json.snapshots, json.stack),
        not_modelled=None if limit is None else NotModelledAt(limit.what, from_hex_or_none(limit.ip)),
        bases=bases_of(json.bases),
        assumptions=tuple(Assumption(told.name, told.value) for told in json.assumptions),
    )
