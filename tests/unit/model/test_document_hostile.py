"""Whatever the bytes are: a document, or BadDocument in one line. Never another exception."""

from __future__ import annotations

import base64
import copy
import json
import string
import tracemalloc
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from inspector.errors import BadDocument
from inspector.model import document
from inspector.model.document.check import Check
from inspector.model.observation import Observation
from inspector.model.prediction import Prediction
from inspector.model.profile import MachineProfile
from inspector.model.program import Layout
from inspector.predict import predict
from inspector.reconcile import reconcile
from tests.elfwriter import Elf
from tests.machines import write_program
from tests.unit.model import document_strategies as any_
from tests.unit.model.profile_strategies import profiles
from tests.unit.model.real_documents import CHECK, OBSERVATION, PREDICTION, PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.program import Program

T = TypeVar("T")
Parsed = Prediction | Observation | MachineProfile | Check

PARSERS: dict[document.Kind, Callable[[bytes], Parsed]] = {
    "prediction": document.parse_prediction,
    "observation": document.parse_observation,
    "profile": document.parse_profile,
    "check": document.parse_check,
}
REAL: dict[document.Kind, bytes] = {
    "prediction": PREDICTION,
    "observation": OBSERVATION,
    "profile": PROFILE,
    "check": CHECK,
}
PREDICTED_STACK: str = json.loads(PREDICTION)["stack"]["bytes"]
kinds = st.sampled_from(list(PARSERS))
patient = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])


def written(parsed: Parsed) -> bytes:
    match parsed:
        case Prediction():
            return document.prediction_document(parsed)
        case Observation():
            return document.observation_document(parsed)
        case MachineProfile():
            return document.profile_document(parsed)
        case Check():
            parts = (parsed.prediction, parsed.observation, parsed.findings, parsed.exit_code)
            return document.check_document(*parts)


def parsed_or_refused(kind: document.Kind, data: bytes) -> Parsed | None:
    """Return what `data` says, having checked that it can be said again; None if it was refused properly."""
    try:
        parsed = PARSERS[kind](data)
    except BadDocument as error:
        for line in (str(error), error.help):
            assert line
            assert line.isprintable()
            assert len(line) < 400
        return None
    assert PARSERS[kind](written(parsed)) == parsed
    return parsed


@patient
@given(kinds, st.binary(max_size=200))
@example("prediction", b"{}")
@example("prediction", b"\xef\xbb\xbf{}")
@example("profile", b"\xff\xfe{\x00}\x00")
@example("check", b"[" * 200_000)
@example("check", b'{"a":' * 200_000)
@example("profile", b"\xef\xbf\xbd" + b"[" * 200_000)
@example("observation", b"9" * 100_000)
@example("observation", b'{"schema":"inspector.observation/1","program":' + b"9" * 100_000 + b"}")
def test_any_bytes(kind: document.Kind, data: bytes) -> None:
    parsed_or_refused(kind, data)


@patient
@given(st.data())
def test_valid_bytes_damaged(data: st.DataObject) -> None:
    kind = data.draw(kinds)
    damaged = bytearray(REAL[kind])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        length = data.draw(st.integers(0, 20))
        damaged[at : at + length] = data.draw(st.binary(max_size=20) | st.just(b"\xef\xbf\xbd"))
    parsed_or_refused(kind, bytes(damaged))


def with_stack(digits: str) -> bytes:
    tree = json.loads(PREDICTION)
    tree["stack"]["bytes"] = digits
    return json.dumps(tree).encode()


def test_a_stack_of_megabytes_takes_no_more_than_a_few_times_its_size() -> None:
    """A segment over the initial stack may leave that much to be found from the stack pointer up."""
    data = with_stack(PREDICTED_STACK + "00" * (4 << 20))
    tracemalloc.start()
    try:
        prediction = document.parse_prediction(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (snapshot, *_) = prediction.snapshots
    assert snapshot.stack is not None
    assert len(snapshot.stack.contents) == len(PREDICTED_STACK) // 2 + (4 << 20)
    assert most < 10 * len(data)


@pytest.mark.parametrize("digits", [PREDICTED_STACK + "0", PREDICTED_STACK[:-1] + "g", "0x", " "])
def test_what_is_no_hexadecimal_is_no_stack(digits: str) -> None:
    with pytest.raises(BadDocument, match="damaged prediction"):
        document.parse_prediction(with_stack(digits))


@given(kinds, st.integers(0, 100_000))
def test_a_truncated_file_says_so(kind: document.Kind, length: int) -> None:
    cut = REAL[kind][: 1 + length % (len(REAL[kind]) - 1)]
    with pytest.raises(BadDocument, match="the file: the file is cut short"):
        PARSERS[kind](cut)


ODD_VALUES: list[Any] = [
    None, True, -1, 0, 1, 7, 1.5, 1e300, 2**31, 2**32, 2**63, 2**64, 10**30, [], [None], [[]], {},
    "", "0x", "0x0", "0x1", "0xfff", "0x8048000", "0xfffff000", "0x100000000", "0xfffffffffffff000",
    "0xffffffffffffffff", "0X10", "010", "0\n", "rwxs", "--", "exec", "file", "runs", "killed", "unlimited",
    "�", "�ff", "a\0b", "x" * 5000, "QUJD", base64.b64encode(bytes(8)).decode(),
]  # fmt: skip
odd_values = st.sampled_from(ODD_VALUES) | st.text(string.printable, max_size=5) | st.integers()


def mutate(draw: Callable[[st.SearchStrategy[Any]], Any], tree: Any) -> Any:  # noqa: ANN401 - it is JSON
    """Walk to some place in `tree` and put something odd there, or take away, repeat or swap what is."""
    parent, key = None, 0
    place = tree
    while isinstance(place, dict | list) and place and (parent is None or draw(st.integers(0, 3))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        parent, key = place, draw(st.sampled_from(keys))
        place = parent[key]
    if isinstance(parent, list):
        match draw(st.integers(0, 3)):
            case 0:
                del parent[key]
            case 1:
                parent.insert(key, copy.deepcopy(place))
            case 2:
                parent.reverse()
            case _:
                parent[key] = copy.deepcopy(draw(odd_values))
    elif isinstance(parent, dict):
        if draw(st.booleans()):
            parent[key] = copy.deepcopy(draw(odd_values))
        else:
            del parent[key]
    return tree


@st.composite
def mutants(draw: st.DrawFn, kind: document.Kind) -> bytes:
    tree = json.loads(REAL[kind])
    for _ in range(draw(st.integers(1, 3))):
        tree = mutate(draw, tree)
    return json.dumps(tree).encode()


@patient
@given(st.data())
def test_valid_members_replaced(data: st.DataObject) -> None:
    kind = data.draw(kinds)
    parsed_or_refused(kind, data.draw(mutants(kind)))


def mutants_of(kind: document.Kind, parse: Callable[[bytes], T]) -> st.SearchStrategy[T]:
    """Make what can still be read of mutants."""

    def parse_or_give_up(data: bytes) -> T:
        try:
            return parse(data)
        except BadDocument:
            return parse(REAL[kind])

    return mutants(kind).map(parse_or_give_up)


@patient
@given(
    any_.predictions | mutants_of("prediction", document.parse_prediction),
    any_.observations | mutants_of("observation", document.parse_observation),
)
def test_what_can_be_read_can_be_compared(prediction: Prediction, observation: Observation) -> None:
    assert reconcile(prediction, observation).exit_code in {0, 1, 3}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, ...]:
    directory = tmp_path_factory.mktemp("programs")
    return (
        write_program(directory, Elf().build(), name="fixed"),
        write_program(directory, Elf(type=3).build(), name="pie", layout=Layout.THREE_GB),
    )


@patient
@given(profiles() | mutants_of("profile", document.parse_profile))
def test_what_can_be_read_can_be_predicted_with(
    programs: tuple[Program, ...], profile: MachineProfile
) -> None:
    for program in programs:
        prediction = predict(program, profile, until="exec")
        assert document.parse_prediction(document.prediction_document(prediction)) == prediction
