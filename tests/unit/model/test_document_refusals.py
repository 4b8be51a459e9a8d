"""What is wrong with a document is said in one line; each invariant of the contract, broken once."""

from __future__ import annotations

import base64
import json

import pytest

from inspector.errors import BadDocument
from inspector.model.document import parse_check, parse_observation, parse_prediction, parse_profile
from tests.unit.model.real_documents import CHECK, OBSERVATION, PREDICTION, PROFILE


def changed(document: bytes, **members: object) -> bytes:
    return json.dumps(json.loads(document) | members).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"hello", "not a JSON document"),
        (b"\x7fELF\1\1\1", "not a JSON document"),
        (b"[]", "not a prediction"),
        (b"{}", "not a prediction"),
        (b'{"schema":5}', "not a prediction"),
        (b'{"schema":"inspector./1"}', "not a prediction"),
        (b'{"schema":"inspector.\\nx/1"}', "not a prediction"),
        (b'{"schema":"inspector.profile/1"}', "not a prediction but a document of kind 'profile'"),
        (
            b'{"schema":"inspector.prediction/1"}',
            "made by an older inspector (inspector.prediction/1)",
        ),
        (
            b'{"schema":"inspector.prediction/3"}',
            "made by another version of inspector (inspector.prediction/3)",
        ),
        (
            b'{"schema":"inspector.prediction/\\n"}',
            "made by another version of inspector (inspector.prediction/\\n)",
        ),
        (PREDICTION + b"\n" + PREDICTION, "more than one document"),
        (PREDICTION[:-1], "the file is cut short"),
        (b'{"x":' + b"[" * 200_000, "nested too deeply for a prediction"),
        (
            changed(PREDICTION, verdict=5),
            "damaged prediction: Expected `object | null`, got `int` - at `$.verdict`",
        ),
        (changed(PREDICTION, verdict="�"), "damaged prediction: � (U+FFFD) stands alone in '�'"),
        (
            changed(PREDICTION, verdict={"outcome": "a\nb" + "c" * 1000}),
            "damaged prediction: Invalid enum value 'a\\nb" + "c" * 176 + "...",
        ),
    ],
)
def test_what_is_wrong_is_said(data: bytes, message: str) -> None:
    with pytest.raises(BadDocument) as caught:
        parse_prediction(data, "a.json")
    assert str(caught.value) == f"a.json: {message}"
    assert caught.value.help


def without(document: bytes, *place: str) -> bytes:
    """Return `document` without the member at `place`."""
    members = json.loads(document)
    inner = members
    for name in place[:-1]:
        inner = inner[name]
    del inner[place[-1]]
    return json.dumps(members).encode()


@pytest.mark.parametrize(
    ("place", "words"),
    [(("faults",), "`faults`"), (("profile", "vvar"), "`vvar` at `$.profile`")],
)
def test_a_field_that_is_missing_is_named_and_taken_for_another_version(
    place: tuple[str, ...], words: str
) -> None:
    with pytest.raises(BadDocument) as caught:
        parse_prediction(without(PREDICTION, *place), "a.json")
    said = f"a.json: prediction without the field {words}: probably written by another version of inspector"
    assert str(caught.value) == said
    assert caught.value.help == "make it again: `inspector predict --json FILE`"


def test_an_observation_is_called_by_its_article() -> None:
    with pytest.raises(BadDocument, match=r"^a\.json: not an observation but a document of") as caught:
        parse_observation(PREDICTION, "a.json")
    assert caught.value.help.startswith("give an observation, as `inspector observe")


def test_a_file_name_cannot_break_the_line() -> None:
    with pytest.raises(BadDocument) as caught:
        parse_prediction(b"", "a\nb\udcff")
    assert str(caught.value) == "a\\nb\\udcff: the file is empty"


def area(start: int, end: int, **columns: object) -> dict[str, object]:
    return {
        "start": f"{start:#x}",
        "end": f"{end:#x}",
        "perms": "r--p",
        "offset": "0x0",
        "device": "00:00",
        "inode": 0,
        "name": "",
        "backing": "anonymous",
        "flags": None,
    } | columns


def run(start: str, count: int, **members: object) -> dict[str, object]:
    return {"start": start, "count": count, "state": "file"} | members


def fault(**members: object) -> dict[str, object]:
    unknown = ("access", "protection", "ip", "symbol", "kind", "area", "file_offset", "mapped")
    known = {"process": 0, "mode": "user", "page": "0x1000", "address": "0x1004"}
    return dict.fromkeys(unknown) | known | members


def gap(start: str, length: int) -> dict[str, object]:
    return {"start": start, "length": length, "rule": "stack.at-random"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"vmas": [area(0x1000, 0x2001)]}, "matching regex"),
        ({"vmas": [area(0x2000, 0x1000)]}, "not an address range"),
        ({"vmas": [area(0x1000, 0x1000)]}, "non-empty"),
        ({"vmas": [area(0x1000, 0x3000), area(0x2000, 0x4000)]}, "overlaps"),
        ({"vmas": [area(0x3000, 0x4000), area(0x1000, 0x2000)]}, "out of order"),
        ({"vmas": [area(0x1000, 0x2000, inode=5)]}, "has no file"),
        ({"vmas": [area(0x1000, 0x2000, inode=1 << 64, backing="file")]}, "no inode"),
        ({"vmas": [area(0x1000, 0x2000, flags=["xx"])]}, "enum"),
        ({"pages": [run("0x1000", 1 << 40)]}, "`int` <="),
        ({"pages": [run("0x1000", 1 << 22)] * 9}, "more than 4194304 pages"),
        ({"pages": [run("0x1000", 2), run("0x2000", 2)]}, "out of order"),
        ({"pages": [run("0xfffffffffffff000", 2)]}, "past the last address"),
        ({"pages": [run("0x0", 2, pfns=[1])]}, "1 frame numbers"),
        ({"minor_faults": -1}, "`int` >= 0"),
        ({"checkpoint": "main"}, "no snapshot at exec"),
    ],
)
def test_snapshots_that_cannot_be(members: dict[str, object], message: str) -> None:
    snapshot = json.loads(PREDICTION)["snapshots"][0] | members
    with pytest.raises(BadDocument, match="damaged prediction") as caught:
        parse_prediction(changed(PREDICTION, snapshots=[snapshot]))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"unpredictable": [gap("0x0", 1 << 60)]}, "outside the stack"),
        ({"unpredictable": [gap("0xffffdfff", 2)]}, "outside the stack"),
        ({"bytes": "0"}, "an odd number of hexadecimal digits"),
        ({"bytes": "AB"}, "matching regex"),
        ({"sp": 4096}, "Expected `str`"),
        (
            {"unpredictable": [gap("0xffffdfff", 0) | {"rule": "stack.at-randon"}]},
            "there is no rule 'stack.at-randon'; did you mean stack.at-random?",
        ),
    ],
)
def test_stacks_that_cannot_be(members: dict[str, object], message: str) -> None:
    stack = json.loads(PREDICTION)["stack"] | members
    with pytest.raises(BadDocument, match="damaged prediction") as caught:
        parse_prediction(changed(PREDICTION, stack=stack))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"ending": {}}, "neither a status nor a signal"),
        ({"ending": {"status": 0, "not_modelled": {"what": "fsin", "ip": None}}}, "ends twice"),
        ({"faults": [fault(page="0x2000")]}, "the page of a fault at 0x1004 is not 0x2000"),
        ({"faults": [fault(access="rw")]}, "enum"),
        ({"faults": [fault(area=area(0x1000, 0x1000))]}, "non-empty"),
        ({"faults": [fault(kind="magic")]}, "enum"),
        ({"faults": [fault(mapped={"start": "0x2000", "end": "0x1000"})]}, "not an address range"),
        ({"verdict": {"outcome": "runs", "errno": "EPERM", "signal": None, "rule": None}}, "has an errno"),
        ({"verdict": {"outcome": "runs", "errno": None, "signal": "SIGHUP", "rule": None}}, "has a signal"),
        (
            {"verdict": {"outcome": "runs", "errno": None, "signal": None, "rule": "\n"}},
            "there is no rule '\\n'; `inspector rules` lists them",
        ),
    ],
)
def test_predictions_that_cannot_be(members: dict[str, object], message: str) -> None:
    with pytest.raises(BadDocument, match="damaged prediction") as caught:
        parse_prediction(changed(PREDICTION, **members))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"ending": {}}, "neither a status nor a signal"),
        ({"ending": {"status": 0, "signal": "SIGHUP"}}, "neither a status nor a signal"),
        ({"output": "!"}, "base64"),
        ({"files": [{"path": "a", "device": "0:0", "inode": 1, "size": 1, "sha256": ""}]}, "matching regex"),
    ],
)
def test_observations_that_cannot_be(members: dict[str, object], message: str) -> None:
    with pytest.raises(BadDocument, match="damaged observation") as caught:
        parse_observation(changed(OBSERVATION, **members))
    assert message in str(caught.value)


def test_a_finding_cannot_name_an_unknown_rule() -> None:
    finding = json.loads(CHECK)["findings"][0] | {"rule": "VMA.merge"}
    with pytest.raises(BadDocument, match=r"no rule 'VMA\.merge'; did you mean vma\.merge\?"):
        parse_check(changed(CHECK, findings=[finding]))


ENTRY = base64.b64encode(bytes(8)).decode()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"pagemap": [{"start": "0x0", "entries": "AAAA"}]}, "part of an entry"),
        ({"pagemap": [{"start": "0x0", "entries": ENTRY}] * 2}, "out of order"),
        ({"pagemap": [{"start": "0x10", "entries": ENTRY}]}, "matching regex"),
        ({"zero_pages": [{"start": "0x0", "count": 1 << 22}] * 2}, "more than"),
        ({"zero_pages": [{"start": "0x0", "count": 3}] * 2}, "out of order"),
        ({"zero_pages": [{"start": "0x0", "count": 0}]}, "`int` >= 1"),
        ({"word_bytes": 5}, "enum"),
    ],
)
def test_evidence_that_cannot_be(members: dict[str, object], message: str) -> None:
    raw = json.loads(OBSERVATION)["raw"][0] | members
    with pytest.raises(BadDocument, match="damaged observation") as caught:
        parse_observation(changed(OBSERVATION, raw=[raw]))
    assert message in str(caught.value)


def test_a_profile_of_an_older_inspector() -> None:
    with pytest.raises(BadDocument) as caught:
        parse_profile(changed(PROFILE, schema="inspector.profile/1"), "a.json")
    assert str(caught.value) == "a.json: made by an older inspector (inspector.profile/1)"
    assert caught.value.help == "make it again: `inspector profile -o FILE`"


LAYOUTS = json.loads(PROFILE)["layouts"]


def layouts(**members: object) -> dict[str, object]:
    return {"layouts": LAYOUTS | {"default": LAYOUTS["default"] | members}}


def frame(**members: object) -> dict[str, object]:
    return {"signal_frame": json.loads(PROFILE)["signal_frame"] | members}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"layouts": {}}, "lacks the layout 'default'"),
        (layouts(task_size="0x1000"), "leaves programs no room"),
        (layouts(et_dyn_base="0xfffff000"), "leaves programs no room"),
        ({"vdso": "AAAA"}, "image 3 bytes"),
        ({"special_areas": []}, "[vdso] has 0 pages"),
        ({"vdso_sysenter_offset": 1 << 40}, "outside its image"),
        ({"page_size": 16384}, "`int` <= 4096"),
        ({"stack_guard_gap": 1}, "multiple of"),
        ({"platform": "�ff"}, "matching regex"),
        ({"fault_around_bytes": 0}, "`int` >= 4096"),
        ({"vvar": "AAAA"}, "vvar 3 bytes"),
        ({"vvar": ""}, "a page that vvar does not have"),
        (frame(fxsave_offset=1 << 20), "outside fpstate"),
        (frame(rt={"contents": "AAAA", "untouched": [{"offset": 1, "length": 3}]}), "of rt are out of order"),
        (
            frame(plain={"contents": "AAAA", "untouched": [{"offset": 1, "length": 1}] * 2}),
            "plain are out of",
        ),
    ],
)
def test_machines_that_cannot_be(members: dict[str, object], message: str) -> None:
    with pytest.raises(BadDocument, match="damaged profile") as caught:
        parse_profile(changed(PROFILE, **members))
    assert message in str(caught.value)
