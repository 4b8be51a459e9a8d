from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from inspector.elf.glance import Glance, Kind
from inspector.examples import Example
from inspector.explain.document import explanation_json
from inspector.explain.tell import tell
from inspector.language import speaking
from inspector.observe.doctor import Check
from inspector.report.check import check_document, observation_document, prediction_document
from inspector.report.detail import Detail
from inspector.report.doctor import doctor_document
from inspector.report.document import Document, Section
from inspector.report.explain import explanation_document
from inspector.report.faults import fault_table
from inspector.report.layout import layout_document
from inspector.report.picture import picture_of
from inspector.report.profile import profile_document
from inspector.report.rules import catalogue_document, questions_document, rule_document
from inspector.report.story import story_documents
from inspector.report.terminal import Style, render
from inspector.report.text import display_width
from inspector.rules import Rule
from tests.golden.report import hello, scenes
from tests.machines import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable

SOME_RULES = (
    Rule(
        "vma.merge",
        "Adjacent areas with equal flags are one area.",
        "There are fewer to walk.",
        "mm/vma.c:f()",
    ),
    Rule(
        "vma.a-rather-long-name", "A sentence " * 12, "A reason " * 20, "arch/x86/entry/vdso/vma.c:map_vdso()"
    ),
    Rule("stack.strings", "The strings come first.", "They are copied first.", "fs/exec.c:copy_strings()"),
)

AN_EXAMPLE = Example(
    "vma.merge", "predict " + "fixtures/build/hello " * 5, "There are fewer.", ("Why?", "Why not more?")
)


def explained(address: int) -> Document:
    found = scenes.explanation(address)
    return explanation_document(found, tell(found))


DOCUMENTS: dict[str, Callable[[], Document]] = {
    "check_agrees": lambda: check_document(scenes.agreeing()),
    "check_differs": lambda: check_document(scenes.differing()),
    "check_explained": lambda: check_document(scenes.explained()),
    "check_faults": lambda: check_document(scenes.faulting()),
    "check_faults_differ": lambda: check_document(scenes.faulting_otherwise()),
    "check_faults_hidden": lambda: check_document(scenes.barely_faulting()),
    "faults": lambda: Document("faults", (Section("", (fault_table(hello.FAULTS),)),)),
    "check_unreached": lambda: check_document(scenes.unreached()),
    "observe_unreached": lambda: observation_document(scenes.unreached().observation),
    "check_two_runs": lambda: check_document(scenes.two_runs()),
    "check_blind": lambda: check_document(scenes.blind()),
    "check_frames": lambda: check_document(scenes.sharing()),
    "check_refused": lambda: check_document(scenes.refused()),
    "check_refused_with_a_hint": lambda: check_document(
        scenes.refused(), seen=Glance(exists=True, kind=Kind.C_SOURCE)
    ),
    "check_wrongly_refused": lambda: check_document(scenes.wrongly_refused()),
    "check_not_modelled": lambda: check_document(scenes.not_modelled()),
    "check_verbose": lambda: check_document(scenes.agreeing(), detail=Detail(verbose=True)),
    "check_pages": lambda: check_document(scenes.differing(), detail=Detail(gaps=True, pages=True)),
    "observe_pages": lambda: observation_document(hello.OBSERVATION, detail=Detail(gaps=True, pages=True)),
    "predict": lambda: prediction_document(hello.PREDICTION),
    "predict_not_modelled": lambda: prediction_document(scenes.not_modelled().prediction),
    "observe": lambda: observation_document(hello.OBSERVATION),
    "observe_live": lambda: observation_document(scenes.live()),
    "profile": lambda: profile_document(PROFILE),
    "layout": lambda: layout_document("hello", hello.RUNS, scenes.views()),
    "explain_a_page": lambda: explained(0x080EE024),
    "explain_nothing": lambda: explained(0x10),
    "rules": lambda: catalogue_document(SOME_RULES),
    "rule": lambda: rule_document(SOME_RULES[1]),
    "rule_with_an_example": lambda: rule_document(SOME_RULES[0], AN_EXAMPLE),
    "questions": lambda: questions_document({"Why " + "so " * 40: "vma.merge", "Why not?": "exec.path"}),
    "doctor": lambda: doctor_document(
        [
            Check("Linux", True, "Linux 6.18.0-test x86_64"),
            Check("gdb", False, "there is no gdb on PATH", "install it: apt install gdb"),
            Check(
                "perf events",
                False,
                "faults of user mode only (perf_event_paranoid 2)",
                "a" * 70,
                needed=False,
            ),
            Check("pagemap", None, "could not be judged (ValueError: odd)"),
        ]
    ),
}


CHINESE = ("explain_a_page", "explain_nothing", "layout", "profile", "story")
"""What is told in Chinese, too."""


def text_of(document: Document, style: Style) -> str:
    return "".join(f"{line}\n" for line in render(document, style))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_reads_as_it_always_did(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.txt", text_of(DOCUMENTS[name](), Style()))


def test_reads_as_it_always_did_where_only_ascii_can_be_shown(golden: Callable[[str, str], None]) -> None:
    text = text_of(DOCUMENTS["check_differs"](), Style(unicode=False))
    assert text.isascii()
    golden("check_differs.ascii.txt", text)


def test_a_wide_terminal_shows_every_column_of_a_fault(golden: Callable[[str, str], None]) -> None:
    text = text_of(DOCUMENTS["faults"](), Style(width=132))
    titles = text.splitlines()[1].split()
    assert titles == ["#", "access", "page", "by", "area", "offset", "kind", "pages"]
    golden("faults.wide.txt", text)


def test_colour_changes_nothing_but_colour(golden: Callable[[str, str], None]) -> None:
    document = DOCUMENTS["check_differs"]()
    coloured = text_of(document, Style(colour=True))
    golden("check_differs.colour.txt", coloured)
    assert re.sub("\x1b\\[[0-9]+m", "", coloured) == text_of(document, Style())


@pytest.mark.parametrize("address", [0x080EE024, 0x10])
def test_an_explanation_s_json_is_what_it_always_was(
    address: int, golden: Callable[[str, str], None]
) -> None:
    found = scenes.explanation(address)
    document = json.loads(explanation_json(found, tell(found)))
    golden(f"explain_{address:#x}.json", json.dumps(document, indent=1) + "\n")


@pytest.mark.parametrize("name", ["agreeing", "differing"])
def test_a_picture_is_drawn_as_it_always_was(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.svg", picture_of(getattr(scenes, name)()))


def test_a_story_reads_as_it_always_did(golden: Callable[[str, str], None]) -> None:
    golden("story.txt", "\n".join(text_of(each, Style()) for each in story_documents(scenes.told())))


def in_chinese(name: str) -> str:
    with speaking("zh"):
        if name == "story":
            return "\n".join(text_of(each, Style()) for each in story_documents(scenes.told()))
        return text_of(DOCUMENTS[name](), Style())


@pytest.mark.parametrize("name", CHINESE)
def test_in_chinese_no_english_sentence_is_left(name: str, golden: Callable[[str, str], None]) -> None:
    text = in_chinese(name)
    golden(f"{name}.zh.txt", text)
    assert max(map(display_width, text.splitlines())) <= 80
    words = r"\b(?:the|a|an|is|are|was|of|by|in|at|and|or|not|no|which|when|its|it|for|with|from)\b"
    # A command line and what fault-around is called stand as they are.
    told = re.sub(r"`[^`]*`|fault-around|[a-z]+\.[a-z0-9.-]+|__libc\w+", "", text)
    assert [line for line in told.splitlines() if re.search(words, line)] == []


@pytest.mark.parametrize("address", [0x080EE024, 0x10])
def test_what_json_is_made_from_is_told_anew_in_english(address: int) -> None:
    found = scenes.explanation(address)
    with speaking("zh"):
        steps = tell(found)
        with speaking("en"):
            english = tell(found)
    assert english == tell(found) != steps
    assert [[each.verdict for each in step.values] for step in steps] == [
        [each.verdict for each in step.values] for step in english
    ]


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("width", [72, 80, 132])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_line_is_wider_than_the_terminal(name: str, width: int, unicode: bool) -> None:
    for line in render(DOCUMENTS[name](), Style(width=width, unicode=unicode)):
        assert display_width(line) <= width
        assert line == line.rstrip()
        assert not [letter for letter in line if letter < " " or "\ud800" <= letter <= "\udfff"]


def test_an_ending_is_never_cut_however_narrow_the_terminal() -> None:
    """Of faults that could not be seen in full, a column says so: beside it there is room for little."""
    for scene in (scenes.faulting(), scenes.faulting_otherwise(), scenes.barely_faulting_to_the_end()):
        text = text_of(check_document(scene), Style(width=72))
        assert "SIGSEGV, si_code 1 (SEGV_MAPERR), address 0x0" in text
        assert not [line for line in text.splitlines() if "SIGSEGV" in line and "\u2026" in line]
