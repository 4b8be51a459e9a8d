"""parse(document(x)) == x, for whatever the model can say; and the document is plain, strict JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.model.document import (
    check_document,
    observation_document,
    parse_check,
    parse_observation,
    parse_prediction,
    parse_profile,
    prediction_document,
    profile_document,
)
from inspector.model.document.text import escape, map_strings, unescape
from inspector.model.document.vma import FLAGS
from inspector.model.vma import VmFlag
from tests.unit.model import document_strategies as any_
from tests.unit.model.plain_strategies import texts
from tests.unit.model.profile_strategies import profiles

if TYPE_CHECKING:
    from inspector.model.document.check import Check
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.profile import MachineProfile

patient = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def strict_json(data: bytes) -> Any:  # noqa: ANN401 - it is JSON
    assert b"\n" not in data
    # No surrogate is escaped. A backslash of the text itself is doubled, whatever follows it.
    assert b"\\ud" not in data.replace(b"\\\\", b"").lower()
    return json.loads(data.decode("utf-8"))


@patient
@given(any_.predictions)
def test_a_prediction_survives(prediction: Prediction) -> None:
    data = prediction_document(prediction)
    assert strict_json(data)["schema"] == "inspector.prediction/2"
    assert parse_prediction(data) == prediction


@patient
@given(any_.observations)
def test_an_observation_survives(observation: Observation) -> None:
    data = observation_document(observation)
    assert strict_json(data)["schema"] == "inspector.observation/1"
    assert parse_observation(data) == observation


@patient
@given(profiles())
def test_a_profile_survives(profile: MachineProfile) -> None:
    data = profile_document(profile)
    assert strict_json(data)["schema"] == "inspector.profile/2"
    assert parse_profile(data) == profile


@patient
@given(any_.checks)
def test_a_check_survives(check: Check) -> None:
    data = check_document(check.prediction, check.observation, check.findings, check.exit_code)
    assert strict_json(data)["exit_code"] == check.exit_code
    assert parse_check(data) == check


@patient
@given(any_.predictions, st.sampled_from([{}, {"indent": 1}, {"ensure_ascii": False}, {"sort_keys": True}]))
def test_another_program_may_write_it_anew(prediction: Prediction, style: dict[str, Any]) -> None:
    rewritten = json.dumps(json.loads(prediction_document(prediction)), **style)
    assert parse_prediction(rewritten.encode()) == prediction


@given(texts)
def test_text_of_any_bytes_survives(text: str) -> None:
    assert unescape(escape(text)) == text
    escape(text).encode("utf-8")


@pytest.mark.parametrize(
    ("inside", "written"),
    [
        ("plain", "plain"),
        ("C:\\new\\u0041 ü \U0001f600 \0", "C:\\new\\u0041 ü \U0001f600 \0"),
        ("caf\udce9", "caf�e9"),
        ("\udc80\udcff", "�80�ff"),
        ("�", "��"),
        ("�80", "��80"),
        ("\udc8080", "�8080"),
        # Three bytes that together are U+FFFD, but came one by one, stay three.
        ("\udcef\udcbf\udcbd", "�ef�bf�bd"),
    ],
)
def test_the_escape(inside: str, written: str) -> None:
    assert escape(inside) == written
    assert unescape(written) == inside


@pytest.mark.parametrize("text", ["�", "a�", "�7f", "�E9", "�e", "�ud8", "���"])
def test_what_is_not_an_escape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="stands alone"):
        unescape(text)


def test_a_surrogate_without_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="stands for no byte"):
        escape("\ud800")


def test_strings_are_changed_everywhere_in_a_tree() -> None:
    assert map_strings({"a": ["b", {"c": "d"}, 1, None]}, str.upper) == {"A": ["B", {"C": "D"}, 1, None]}


def test_every_flag_has_its_word() -> None:
    assert set(FLAGS) == set(VmFlag)
