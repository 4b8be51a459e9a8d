"""`inspector.check/2`: a prediction, an observation, and what holding them against each other found."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta, Struct

from inspector.model.document.codec import DocumentKind
from inspector.model.document.observation import ObservationJson, observation_json, observation_of
from inspector.model.document.prediction import PredictionJson, prediction_json, prediction_of
from inspector.model.document.rule import known_rule
from inspector.model.finding import Finding, Verdict
from inspector.model.observation import Observation
from inspector.model.prediction import Prediction


@dataclass(frozen=True, slots=True)
class Check:
    """All that one check has to say."""

    prediction: Prediction
    observation: Observation | None
    """None: the program could not be observed."""
    findings: tuple[Finding, ...]
    exit_code: int


class FindingJson(Struct, frozen=True):
    """One aspect held against the other wing.

    `rule` is the id of what explains it, or else of what it was predicted by.
    """

    checkpoint: str
    aspect: str
    where: str
    predicted: str
    observed: str
    verdict: Verdict
    rule: str | None
    context: Annotated[tuple[str, ...], Meta(description="what stands around it, as in a unified diff")] = ()


class CheckJson(Struct, frozen=True):
    """Both wings and the findings; `exit_code` is that of the command for this program alone."""

    schema: Literal["inspector.check/2"]
    prediction: PredictionJson
    observation: ObservationJson | None
    findings: tuple[FindingJson, ...]
    exit_code: Annotated[int, Meta(ge=0, le=255)]


KIND = DocumentKind("check", 2, CheckJson, "`inspector check --json FILE`")


def check_json(check: Check) -> CheckJson:
    """Return the JSON type of `check`."""
    return CheckJson(
        schema="inspector.check/2",
        prediction=prediction_json(check.prediction),
        observation=None if check.observation is None else observation_json(check.observation),
        findings=tuple(map(_finding_json, check.findings)),
        exit_code=check.exit_code,
    )


def check_of(json: CheckJson) -> Check:
    """Undo `check_json`. Raises ValueError for what no check can be."""
    return Check(
        prediction=prediction_of(json.prediction),
        observation=None if json.observation is None else observation_of(json.observation),
        findings=tuple(map(_finding_of, json.findings)),
        exit_code=json.exit_code,
    )


def _finding_json(finding: Finding) -> FindingJson:
    return FindingJson(
        checkpoint=finding.checkpoint,
        aspect=finding.aspect,
        where=finding.where,
        predicted=finding.predicted,
        observed=finding.observed,
        verdict=finding.verdict,
        rule=finding.rule,
        context=finding.context,
    )


def _finding_of(json: FindingJson) -> Finding:
    return Finding(
        checkpoint=json.checkpoint,
        aspect=json.aspect,
        where=json.where,
        predicted=json.predicted,
        observed=json.observed,
        verdict=json.verdict,
        rule=known_rule(json.rule),
        context=json.context,
    )
