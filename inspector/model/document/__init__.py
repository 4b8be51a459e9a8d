r"""Predictions, recordings, profiles and checks as JSON: the contract other programs may build on.

A document is one JSON object in UTF-8 without line breaks, whose `schema` names its kind and version:

    inspector.prediction/2   what Linux will do       embeds its profile, so that it can be judged elsewhere
    inspector.observation/1  what Linux did           a recording: the same snapshots, and the raw bytes
    inspector.profile/2      the machine              what a prediction may know of it
    inspector.check/2        the two, and the findings of holding them against each other

    addresses, offsets     "0x8048000": lower case, no leading zeros
    counts, sizes, inodes  numbers
    raw bytes              base64; the initial stack alone is hexadecimal, to be read by eye
    pages                  runs of consecutive pages in the same state: first address and count
    faults                 null: the sequence is not predicted; never an empty list for want of knowledge
    null                   not known on this side

A path or an argument may hold any byte, a JSON string only Unicode. Text that is valid UTF-8 stands as it is;
a byte that is not is U+FFFD and two hexadecimal digits, and U+FFFD itself is doubled. No surrogate is ever
written, and no character that ordinary text holds needs an escape:

    b"caf\xe9"    "caf\ufffde9"    shown as caf�e9

Reading ignores members it does not know. What it cannot read is a BadDocument, whatever the bytes are.

Nothing here is imported before the first document is made or read: msgspec and these types take longer to
load than most commands run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.document.check import Check
    from inspector.model.finding import Finding
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.profile import MachineProfile

Kind = Literal["prediction", "observation", "profile", "check"]

__all__ = [
    "Kind",
    "check_document",
    "observation_document",
    "parse_check",
    "parse_observation",
    "parse_prediction",
    "parse_profile",
    "prediction_document",
    "profile_document",
    "schema",
]


def prediction_document(prediction: Prediction) -> bytes:
    """Return `prediction` as one line of JSON, without a line end."""
    from inspector.model.document.codec import encode
    from inspector.model.document.prediction import prediction_json

    return encode(prediction_json(prediction))


def parse_prediction(data: bytes, source: str = "the file") -> Prediction:
    """Return the prediction that `data` holds; BadDocument, in words about `source`, if it is not one."""
    from inspector.model.document.codec import parse
    from inspector.model.document.prediction import KIND, prediction_of

    return parse(data, KIND, prediction_of, source)


def observation_document(observation: Observation) -> bytes:
    """Return `observation` as one line of JSON, without a line end: a recording."""
    from inspector.model.document.codec import encode
    from inspector.model.document.observation import observation_json

    return encode(observation_json(observation))


def parse_observation(data: bytes, source: str = "the file") -> Observation:
    """Return the observation that `data` holds; BadDocument, in words about `source`, if it is not one."""
    from inspector.model.document.codec import parse
    from inspector.model.document.observation import KIND, observation_of

    return parse(data, KIND, observation_of, source)


def profile_document(profile: MachineProfile) -> bytes:
    """Return `profile` as one line of JSON, without a line end."""
    from inspector.model.document.codec import encode
    from inspector.model.document.profile import profile_json

    return encode(profile_json(profile))


def parse_profile(data: bytes, source: str = "the file") -> MachineProfile:
    """Return the profile that `data` holds; BadDocument, in words about `source`, if it is not one.

    A profile that is read can be predicted with: sizes and addresses that no machine has are refused here.
    """
    from inspector.model.document.codec import parse
    from inspector.model.document.profile import KIND, profile_of

    return parse(data, KIND, profile_of, source)


def check_document(
    prediction: Prediction, observation: Observation | None, findings: Sequence[Finding], exit_code: int
) -> bytes:
    """Return a whole check as one line of JSON, without a line end.

    `observation` is None if the program could not be observed.
    """
    from inspector.model.document.check import Check, check_json
    from inspector.model.document.codec import encode

    return encode(check_json(Check(prediction, observation, tuple(findings), exit_code)))


def parse_check(data: bytes, source: str = "the file") -> Check:
    """Return the check that `data` holds; BadDocument, in words about `source`, if it is not one."""
    from inspector.model.document.check import KIND, check_of
    from inspector.model.document.codec import parse

    return parse(data, KIND, check_of, source)


def schema(kind: Kind) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of one kind of document."""
    from importlib import import_module

    from inspector.model.document.codec import json_schema

    return json_schema(import_module(f"inspector.model.document.{kind}").KIND)
