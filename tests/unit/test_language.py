"""The catalogues are complete, ordinary, and chosen as gettext's are."""

from __future__ import annotations

import gettext
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from inspector.cli import run
from inspector.language import choose, chosen, preferred, read_catalogue, spoken, tr, tr_error
from inspector.report.text import counted, display_width, joined, wrapped
from tests.catalogue import CATALOGUES, marked, placeholders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHINESE = re.compile("[\u4e00-\u9fff]")


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    choose("en")


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return marked()


def test_there_is_a_catalogue() -> None:
    assert [path.parts[-3] for path in CATALOGUES] == ["zh_CN"]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_every_marked_text_is_translated_and_nothing_is_stale(path: Path, texts: dict[str, str]) -> None:
    known = dict(read_catalogue(path))
    assert sorted(texts.keys() - known.keys()) == []
    assert sorted(known.keys() - texts.keys()) == []
    assert len(texts) > 500


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_a_translation_fills_in_what_its_text_does(path: Path) -> None:
    known = dict(read_catalogue(path))
    assert {text: said for text, said in known.items() if placeholders(text) != placeholders(said)} == {}
    # What is typed and what Linux calls things is the same in every language.
    names = re.compile(r"\b[A-Z]+_[A-Z_]+\b|--[a-z][a-z-]+")
    lost = {text: set(names.findall(text)) - set(names.findall(said)) for text, said in known.items()}
    assert {text: names for text, names in lost.items() if names} == {}


@pytest.mark.skipif(shutil.which("msgfmt") is None, reason="gettext's tools are not installed")
@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_gettext_reads_the_same(path: Path, tmp_path: Path) -> None:
    binary = tmp_path / "inspector.mo"
    subprocess.run(["msgfmt", "--check-format", "-o", str(binary), str(path)], check=True)
    with binary.open("rb") as stream:
        theirs = gettext.GNUTranslations(stream)
    ours = dict(read_catalogue(path))
    for key, said in ours.items():
        context, _, text = key.rpartition("\x04")
        assert (theirs.pgettext(context, text) if context else theirs.gettext(text)) == said


def test_a_catalogue_is_read_as_gettext_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "some.po"
    path.write_text(
        'msgid ""\nmsgstr "Language: zh\\n"\n\n#: here\nmsgid "a \\"b\\"\\n"\nmsgstr ""\n"c\\\\n"\n"d"\n\n'
        'msgctxt "x"\nmsgid "a"\nmsgstr "e"\n\n#, fuzzy\nmsgid "f"\nmsgstr "g"\n\nmsgid "h"\nmsgstr ""\n',
        encoding="utf-8",
    )
    assert dict(read_catalogue(path)) == {'a "b"\n': "c\\nd", "x\x04a": "e"}
    path.write_text("msgid\n  what\n", encoding="utf-8")
    with pytest.raises(ValueError, match="not a line of a catalogue"):
        dict(read_catalogue(path))


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_SG"}, "zh"),
        ({"LANG": "zh_TW.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_CN@pinyin"}, "zh"),
        ({"LC_ALL": "C", "LC_MESSAGES": "zh_CN"}, "en"),
        ({"LC_ALL": "", "LANG": "zh_CN"}, "zh"),
    ],
)
def test_the_first_of_the_environment_that_is_set_decides(environment: dict[str, str], language: str) -> None:
    assert preferred(environment) == language


def test_an_output_without_chinese_letters_is_english() -> None:
    assert spoken("zh", "utf-8") == spoken("zh", "gb18030") == "zh"
    assert spoken("zh", "ascii") == spoken("zh", "no such encoding") == "en"


def test_a_count_is_grammar() -> None:
    assert (counted(1, "page"), counted(2, "page"), tr("absent")) == ("1 page", "2 pages", "absent")
    choose("zh")
    assert (counted(1, "page"), counted(2, "page"), tr("absent")) == ("1 页", "2 页", "不在")
    assert chosen() == "zh"


CLAUSES = "内核映射段，不认得节。brk 之后才有 [heap]。"  # noqa: RUF001 - it is Chinese


def test_chinese_is_broken_anywhere_but_before_the_end_of_a_clause() -> None:
    lines = wrapped(CLAUSES, 12)
    assert lines == [CLAUSES[:6], "不认得节。", "brk 之后才有", "[heap]。"]
    assert all(display_width(line) <= 12 for line in lines)
    assert joined("段。", "节。") == "段。节。"
    assert joined("One.", "Two.") == "One. Two."


def test_help_is_translated_by_option_and_by_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}
    assert run(["--lang", "zh", "--help"]) == 0
    asked["option"] = capsys.readouterr().out
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert run(["--help"]) == 0
    asked["environment"] = capsys.readouterr().out
    assert asked["option"] == asked["environment"]
    assert run(["--lang", "en", "--help"]) == 0
    english = capsys.readouterr().out
    assert not CHINESE.search(english)
    words = [line for line in asked["option"].splitlines() if re.search("[a-z]{3}", line)]
    assert [line for line in words if not CHINESE.search(line)] == []


@pytest.mark.parametrize("arguments", [["vma.relro"], ["--questions"], []], ids=" ".join)
def test_rules_are_chinese_but_for_their_names(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--lang", "zh", "rules", *arguments]) == 0
    out = capsys.readouterr().out
    assert CHINESE.search(out)
    assert max(map(display_width, out.splitlines())) <= 80
    told = re.sub(r"`[^`]*`|\binspector .*|\b[a-z]+\.[a-z0-9-]+", "", out)
    assert re.findall(r"\b(?:the|is|are|of|which|when)\b", told) == []


def test_english_opens_no_catalogue() -> None:
    code = (
        "import sys; sys.addaudithook(lambda event, seen: event == 'open' and str(seen[0]).endswith('.po')"
        " and sys.exit(9)); from inspector.cli import run; run(['rules']); "
        "sys.exit('gettext' in sys.modules and 'inspector.cli.help' not in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"LANG": "C.UTF-8"}, capture_output=True, check=False
    )
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rules", "vma.marge"], ["没有规则 'vma.marge'", "是否想写 vma.merge"]),
        (["nonsense"], ["没有命令 'nonsense'", "`inspector --help`"]),
        (["check"], ["没有程序", "--list FILE"]),
        (["predict"], ["缺少参数 'PROGRAM...'", "`inspector predict --help`"]),
        (["check", "--env", "x", "y"], ["--env 'x' is not NAME=VALUE", "例如 --env LANG=C"]),
        (["observe", "x", "some", "words"], ["参数太多", "some words"]),
    ],
)
def test_errors_are_translated_as_they_are_printed(
    arguments: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--lang", "zh", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 2
    assert [words for words in said if words not in err] == []


def test_an_error_is_told_by_the_pattern_that_leaves_the_least_open() -> None:
    choose("zh")
    assert tr_error("gdb knows no system call 'x'") == "gdb 不知道系统调用 'x'"
    assert tr_error("{0} has no symbol {1}") == "{0} 没有符号 {1}"
    assert tr_error("what no catalogue holds") == "what no catalogue holds"
    choose("en")
    assert tr_error("gdb knows no system call 'x'") == "gdb knows no system call 'x'"
