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
from inspector.language import (
    choose,
    chosen,
    preferred,
    read_catalogue,
    spoken,
    tr,
    tr_error,
    tr_not_modelled,
)
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


LEFT_OVER = re.compile(
    r"\b(?:the|is|are|of|which|when|and|not|at|with|by|pages?|frames?|faults?|hits?|answers?|bytes|calls?)\b"
)
NAMES = re.compile(r"--[a-z]+ ?[A-Z]*|\bopt\b|fixtures/\S+")
REFERENCES = ("--refs", "1 2 3 4 1 2 5 1 2 3 4 5")
SIMULATORS = (
    ("overlay", "--seed", "1"),
    ("overlay", "--calls", "main A C A B E A>F", "--solve"),
    ("replace", "--seed", "1"),
    ("replace", "--policy", "lru", "--policy", "working-set", *REFERENCES, "--solve"),
    ("replace", "--policy", "fifo", "--policy", "opt", "--curve", *REFERENCES, "--solve"),
    ("replace", "--curve", *REFERENCES),
    ("replace", "--anomaly", "--seed", "1", "--solve"),
    ("pagetable", "--seed", "1"),
    ("pagetable", "--mapped", "0x8048-0x804b", "--processes", "100", "--solve"),
    ("pagetable", "--mapped", "0x8048"),
)


@pytest.mark.parametrize("arguments", SIMULATORS, ids=" ".join)
def test_the_books_machines_are_chinese(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--lang", "zh", *arguments]) == 0
    out = capsys.readouterr().out
    assert CHINESE.search(out)
    assert max(map(display_width, out.splitlines())) <= 80
    assert LEFT_OVER.findall(NAMES.sub("", out)) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["overlay", "--calls", "main X"], ["没有模块 'X'", "main"]),
        (["replace", "--policy", "mru"], ["没有算法 'mru'", "请选择其一"]),
        (["replace", "--anomaly", "--refs", "1"], ["自己抽取引用串", "--curve"]),
        (["pagetable", "--mapped", "9-1"], ["末端在始端之前", "1-9"]),
        (["pagetable", "--program", "no-such"], ["no-such：没有这个文件", "请给出程序的路径"]),  # noqa: RUF001
    ],
)
def test_what_they_refuse_is_said_in_chinese(
    arguments: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--lang", "zh", *arguments]) == 2
    err = capsys.readouterr().err
    assert [words for words in said if words not in err] == []
    assert LEFT_OVER.findall(NAMES.sub("", err)) == []


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
        (["check", "--env", "x", "y"], ["--env 'x' 不是 NAME=VALUE", "例如 --env LANG=C"]),
        (["observe", "x", "some", "words"], ["参数太多", "some words"]),
        (["check", "--timeout", "0", "x"], ["'--timeout' 的值无效", "不是以秒计的时间"]),
        (["story", "--faults", "-1", "x"], ["'--faults' 的值无效", "不在 0<=x<=1000 的范围内"]),
        (["story", "--faults", "x", "x"], ["'--faults' 的值无效", "'x' 不是整数"]),
        (["rules", "--lang", "zh"], ["没有选项 '--lang'", "inspector --lang zh COMMAND"]),
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


def test_a_file_that_cannot_be_written_is_said_in_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--lang", "zh", "check", "--html", "/nonexistent/x.html", "x"]) == 3
    assert "请先创建该目录" in capsys.readouterr().err


def test_an_error_is_told_by_the_pattern_that_leaves_the_least_open() -> None:
    choose("zh")
    assert tr_error("gdb knows no system call 'x'") == "gdb 不知道系统调用 'x'"
    assert tr_error("{0} has no symbol {1}") == "{0} 没有符号 {1}"
    assert tr_error("what no catalogue holds") == "what no catalogue holds"
    choose("en")
    assert tr_error("gdb knows no system call 'x'") == "gdb knows no system call 'x'"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("x87 stack overflow", "x87 栈上溢"),
        ("system call ptrace", "系统调用 ptrace"),
        ("instruction lsl eax, ecx with selector 0x73", "选择子为 0x73 的指令 lsl eax, ecx"),
        (
            "what processes find in memory they share, which is the scheduler's to say",
            "几个进程在共享内存中读到什么",
        ),
        ("handler 'qemu-arm' of binfmt_misc (see `inspector doctor`)", "'qemu-arm'"),
        ("program with file capabilities (run it without --aslr)", "带文件权能的程序"),
        ("writing to a pipe that nobody reads any more, or not yet (SIGPIPE)", "SIGPIPE"),
    ],
)
def test_what_is_not_modelled_has_a_name_in_every_language(what: str, said: str) -> None:
    assert tr_not_modelled(what) == what
    choose("zh")
    assert said in tr_not_modelled(what)
    assert tr_error(f"not modelled: {what}").startswith("未建模")
    assert re.findall(r"\b(?:the|of|with|which|that|without|see)\b", tr_not_modelled(what)) == []


def test_of_an_unknown_name_only_the_words_before_it_are_translated() -> None:
    choose("zh")
    assert tr_not_modelled("a thing (nobody knows)") == "a thing (nobody knows)"
    assert tr_error("not modelled: a thing").startswith("未建模")


def test_a_mutant_is_told_with_what_is_around_it() -> None:
    from inspector.fuzz.campaign import Case
    from inspector.fuzz.fields import Change
    from inspector.fuzz.surroundings import Role, Surroundings
    from inspector.fuzz.trial import Standing, Trial
    from inspector.model.finding import Finding, Verdict
    from inspector.report.mutants import case_line
    from inspector.report.terminal import Style

    around = Surroundings(stack_limit=65536, bottom_up=True, argv_lengths=(1, 2, 3))
    found = (Finding("execve", "verdict", "", "runs", "killed: SIGSEGV", Verdict.DIFFERS),)
    trial = Trial(Standing.DIFFERS, found)
    case = Case("hello", 1, 2, Role.INTERPRETER, around, (Change("e_entry", 24, b"", b"x"),), trial, b"")
    choose("zh")
    line = case_line(case, (), Style(unicode=True))
    assert "作为程序的解释器，栈限制 65536，自底向上，argv 有 3 个字符串（6 字节）" in line  # noqa: RUF001
    assert LEFT_OVER.findall(line) == []
