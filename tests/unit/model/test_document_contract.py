"""The names and shapes that other programs build on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any, get_args

import pytest

from inspector.model.address import AddressRange, FileOffset, Pfn, VirtAddr, Vpn
from inspector.model.document import (
    Kind,
    observation_document,
    parse_observation,
    parse_prediction,
    prediction_document,
    schema,
)
from inspector.model.ending import Ending
from inspector.model.fault import Fault, FaultKind, FaultMode
from inspector.model.page import PageKind, PageState
from inspector.model.prediction import ExecVerdict, NotModelledAt, Outcome, Prediction
from inspector.model.vma import Access, FileBacking, Sharing, Vma
from tests.unit.model.real_documents import CHECK, OBSERVATION, PREDICTION, PROFILE

KINDS: tuple[Kind, ...] = get_args(Kind)
REAL: dict[Kind, bytes] = {
    "prediction": PREDICTION,
    "observation": OBSERVATION,
    "profile": PROFILE,
    "check": CHECK,
}
VERSIONS: dict[Kind, int] = {"prediction": 2, "observation": 1, "profile": 2, "check": 2}
ADDED_LATER = {
    *("cut_short", "fault_source", "faults_lost", "faults_complete", "large_folios", "unreached", "input"),
    *("reclaim_at_faults", "reclaim_at_stops"),
    *("system", "cpumask_bytes", "max_map_count", "script", "native", "children"),
}
"""Members that earlier documents of the same version may lack."""
real = parse_prediction(PREDICTION)
seen = parse_observation(OBSERVATION)


def predicted(prediction: Prediction) -> Any:  # noqa: ANN401 - it is JSON
    return json.loads(prediction_document(prediction))


def test_a_prediction_has_the_members_of_the_contract() -> None:
    document = json.loads(PREDICTION)
    assert list(document)[:7] == ["schema", "program", "verdict", "snapshots", "faults", "stack", "ending"]
    assert document["program"].keys() >= {"path", "argv", "envp"}
    assert document["verdict"] == {"outcome": "runs", "errno": None, "signal": None, "rule": "exec.runs"}
    snapshot = document["snapshots"][0]
    assert snapshot["checkpoint"] == "exec"
    assert snapshot["registers"]["eip"] == "0x8049570"
    assert snapshot["vmas"][0].items() >= {
        "start": "0x8048000", "end": "0x8049000", "perms": "r--p", "offset": "0x0"
    }.items()  # fmt: skip
    assert snapshot["vmas"][0]["name"] == document["program"]["path"]
    assert snapshot["vmas"][-1]["name"] == "[stack]"
    assert snapshot["pages"][0] == {"start": "0x80ed000", "count": 1, "state": "anonymous"}
    assert (snapshot["minor_faults"], snapshot["major_faults"]) == (2, 0)
    assert snapshot["page_table_bytes"] == 5 * 4096
    assert snapshot["random_registers"] is None
    assert document["faults"] is None
    assert document["ending"] is None
    stack = document["stack"]
    assert stack.keys() == {"sp", "bytes", "unpredictable"}
    assert stack["sp"] == snapshot["registers"]["esp"]
    assert bytes.fromhex(stack["bytes"])[-8:] == bytes(8)
    assert [(gap["length"], gap["rule"]) for gap in stack["unpredictable"]] == [(16, "stack.at-random")]


def test_a_recording_has_the_same_and_the_raw_bytes() -> None:
    document = json.loads(OBSERVATION)
    prediction = json.loads(PREDICTION)
    assert document["schema"] == "inspector.observation/1"
    assert document["snapshots"][0].keys() == prediction["snapshots"][0].keys()
    assert document["program"] == prediction["program"]
    assert document["ending"] == {"status": 0}
    assert document["raw"][0].keys() >= {"maps", "pagemap", "auxv"}
    assert document["host"].keys() >= {"kernel", "gdb"}
    assert document["files"] == prediction["files"]
    assert re.fullmatch("[0-9a-f]{64}", document["files"][0]["sha256"])


def test_a_check_has_both_and_the_findings() -> None:
    document = json.loads(CHECK)
    assert document["prediction"] == json.loads(PREDICTION)
    assert document["observation"] == json.loads(OBSERVATION)
    assert document["exit_code"] == 0
    assert document["findings"][0] == {
        "checkpoint": "execve",
        "aspect": "verdict",
        "where": "",
        "predicted": "runs",
        "observed": "runs",
        "verdict": "agrees",
        "rule": "exec.runs",
        "context": [],
    }


def test_a_prediction_carries_the_machine_it_was_made_for() -> None:
    assert json.loads(PREDICTION)["profile"] == json.loads(PROFILE)


def test_a_refused_program() -> None:
    verdict = ExecVerdict(Outcome.REFUSED, errno="ENOEXEC", rule="exec.no-handler")
    document = predicted(replace(real, verdict=verdict, snapshots=()))
    assert document["verdict"] == {
        "outcome": "refused", "errno": "ENOEXEC", "signal": None, "rule": "exec.no-handler"
    }  # fmt: skip
    assert (document["snapshots"], document["stack"], document["ending"]) == ([], None, None)


def test_where_the_simulation_stopped() -> None:
    document = predicted(replace(real, verdict=None, not_modelled=NotModelledAt("fsin", 0x80495F0)))
    assert document["verdict"] is None
    assert document["ending"] == {"not_modelled": {"what": "fsin", "ip": "0x80495f0"}}
    document = predicted(replace(real, verdict=None, not_modelled=NotModelledAt("script")))
    assert document["ending"] == {"not_modelled": {"what": "script", "ip": None}}
    document = predicted(replace(real, verdict=None, not_modelled=NotModelledAt("script", help="name it")))
    assert document["ending"] == {"not_modelled": {"what": "script", "ip": None, "help": "name it"}}


@pytest.mark.parametrize(
    ("ending", "written"),
    [
        (Ending(status=3), {"status": 3}),
        (
            Ending(signal="SIGSEGV", code=1, address=VirtAddr(0)),
            {"signal": "SIGSEGV", "code": 1, "address": "0x0"},
        ),
        (Ending(signal="SIGHUP"), {"signal": "SIGHUP", "code": None, "address": None}),
        (None, None),
    ],
)
def test_an_ending(ending: Ending | None, written: dict[str, object] | None) -> None:
    data = observation_document(replace(seen, ending=ending))
    assert json.loads(data)["ending"] == written
    assert parse_observation(data).ending == ending


def test_a_predicted_ending() -> None:
    prediction = replace(real, ending=Ending(signal="SIGSEGV", code=2, address=VirtAddr(0x1000)))
    document = predicted(prediction)
    assert document["ending"] == {"signal": "SIGSEGV", "code": 2, "address": "0x1000"}
    assert predicted(replace(real, ending=Ending(status=3)))["ending"] == {"status": 3}
    with pytest.raises(ValueError, match="no ending"):
        replace(prediction, not_modelled=NotModelledAt("fsin"))


PREDICTED_FAULT = Fault(
    process=0,
    mode=FaultMode.USER,
    address=VirtAddr(0x80ED024),
    access=Access.WRITE,
    protection=True,
    ip=VirtAddr(0x80495F0),
    kind=FaultKind.COPY_ON_WRITE,
    area=Vma(
        AddressRange(VirtAddr(0x80E9000), VirtAddr(0x80EE000)),
        Access.READ | Access.WRITE,
        Sharing.PRIVATE,
        FileBacking("/a", (0, 0x1B), 7, FileOffset(0xA0000)),
    ),
    file_offset=FileOffset(0xA4000),
    mapped=AddressRange(VirtAddr(0x80ED000), VirtAddr(0x80EE000)),
    symbol="main+0x12",
)
OBSERVED_FAULT = Fault(0, FaultMode.KERNEL, VirtAddr(0xFFFFDFF0), None, None, None)


def test_a_fault_has_all_its_fields() -> None:
    assert predicted(replace(real, faults=(PREDICTED_FAULT,)))["faults"] == [
        {
            "process": 0,
            "mode": "user",
            "page": "0x80ed000",
            "address": "0x80ed024",
            "access": "write",
            "protection": True,
            "ip": "0x80495f0",
            "symbol": "main+0x12",
            "kind": "copy on write",
            "area": {
                "start": "0x80e9000",
                "end": "0x80ee000",
                "perms": "rw-p",
                "offset": "0xa0000",
                "device": "00:1b",
                "inode": 7,
                "name": "/a",
                "backing": "file",
                "flags": None,
            },
            "file_offset": "0xa4000",
            "mapped": {"start": "0x80ed000", "end": "0x80ee000"},
        }
    ]


def test_what_an_observer_is_not_told_of_a_fault_is_null() -> None:
    data = observation_document(replace(seen, faults=(OBSERVED_FAULT,), fault_source="software event"))
    document = json.loads(data)
    assert document["fault_source"] == "software event"
    assert document["faults"] == [
        dict.fromkeys(("access", "protection", "ip", "symbol", "kind", "area", "file_offset", "mapped"))
        | {"process": 0, "mode": "kernel", "page": "0xffffd000", "address": "0xffffdff0"}
    ]


def test_no_faults_and_none_known_are_two_things() -> None:
    assert predicted(replace(real, faults=()))["faults"] == []
    assert predicted(replace(real, faults=None))["faults"] is None
    assert parse_observation(observation_document(replace(seen, faults=()))).faults == ()


def test_pages_are_runs_of_equal_state() -> None:
    pages = (
        PageState(Vpn(8), PageKind.FILE),
        PageState(Vpn(9), PageKind.FILE),
        PageState(Vpn(10), PageKind.ZERO, Pfn(77)),
        PageState(Vpn(11), PageKind.ZERO),
        PageState(Vpn(13), PageKind.ZERO),
        PageState(Vpn(14), None),
    )
    snapshot = replace(real.snapshots[0], pages=pages)
    document = predicted(replace(real, snapshots=(snapshot,)))
    assert document["snapshots"][0]["pages"] == [
        {"start": "0x8000", "count": 2, "state": "file"},
        {"start": "0xa000", "count": 2, "state": "zero", "pfns": [77, None]},
        {"start": "0xd000", "count": 1, "state": "zero"},
        {"start": "0xe000", "count": 1, "state": "unknown"},
    ]


def references(tree: object) -> set[str]:
    """Return every target of a `$ref` in a schema."""
    if isinstance(tree, list):
        return set().union(*map(references, tree))
    if not isinstance(tree, dict):
        return set()
    own = {tree["$ref"]} if "$ref" in tree else set()
    return own.union(*map(references, tree.values()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_whole(kind: Kind) -> None:
    generated = json.loads(json.dumps(schema(kind)))
    assert generated["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert references(generated) == {f"#/$defs/{name}" for name in generated["$defs"]}
    top = generated["$defs"][generated["$ref"].rpartition("/")[2]]
    assert top["properties"]["schema"] == {"enum": [f"inspector.{kind}/{VERSIONS[kind]}"]}
    assert set(top["properties"]) == set(json.loads(REAL[kind]))
    assert set(top["properties"]) - set(top["required"]) <= ADDED_LATER


def test_a_recording_of_an_earlier_version_is_read() -> None:
    document = json.loads(OBSERVATION)
    for name in ADDED_LATER:
        document.pop(name, None)
    assert parse_observation(json.dumps(document).encode()) == replace(seen, fault_source=None)


def test_schemas_show_patterns_for_addresses() -> None:
    vma = schema("prediction")["$defs"]["VmaJson"]["properties"]
    assert re.search(vma["start"]["pattern"], "0x8048000")
    assert not re.search(vma["start"]["pattern"], "0x8048001")
    assert not re.search(vma["offset"]["pattern"], "134512640")


def test_msgspec_waits_for_the_first_document() -> None:
    program = (
        "import importlib, inspector.model, pkgutil, sys\n"
        "for module in pkgutil.iter_modules(inspector.model.__path__):\n"
        "    importlib.import_module(f'inspector.model.{module.name}')\n"
        "assert 'inspector.model.document' in sys.modules\n"
        "assert 'msgspec' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
