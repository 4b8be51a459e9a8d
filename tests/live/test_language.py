"""What is printed in Chinese says the same as in English, to people only."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.lab.exercise import ready_names
from inspector.report.text import display_width

ROOT = Path(__file__).parents[2]
HELLO = "fixtures/build/hello"
CHINESE = re.compile("[\u4e00-\u9fff]")

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not (ROOT / HELLO).exists(), reason="fixtures not built"),
]


def inspector(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "inspector", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("arguments", [(), ("--verbose",)], ids=["", "verbose"])
def test_a_check_has_no_english_heading_left(arguments: tuple[str, ...]) -> None:
    english = inspector("check", *arguments, HELLO)
    chinese = inspector("--lang", "zh", "check", *arguments, HELLO)
    assert (chinese.returncode, chinese.stderr) == (english.returncode, english.stderr)
    theirs, ours = english.stdout.splitlines(), chinese.stdout.splitlines()
    titles = [line for before, line in zip(("", *ours), ours, strict=False) if not before]
    assert len(titles) > 10
    assert [title for title in titles if not CHINESE.search(title)] == []
    # A line that is the same in both holds no words, but for those of the kernel, the file and the machine.
    same = {line for line in theirs if re.match(r" {3}[a-z# ]+( {2,}[a-z ]+)+$", line)} & set(ours)
    assert same == set()
    assert max(map(display_width, ours)) <= 80


@pytest.mark.parametrize(
    "arguments",
    [
        ("doctor",),
        ("profile",),
        ("layout", HELLO),
        ("loading", "--predict-only", HELLO, "fixtures/build/bss_tail"),
        ("story", HELLO),
        ("explain", HELLO, "main"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_no_english_sentence_is_left(arguments: tuple[str, ...]) -> None:
    english, chinese = inspector(*arguments), inspector("--lang", "zh", *arguments)
    assert (chinese.returncode, chinese.stderr) == (english.returncode, english.stderr)
    lines = chinese.stdout.splitlines()
    titles = [line for before, line in zip(("", *lines), lines, strict=False) if not before]
    # A program under its number is called what it is called.
    assert [
        each for each in titles if not CHINESE.search(each) and not re.match(r"\d+\. fixtures/", each)
    ] == []
    words = r"\b(?:the|a|an|is|are|was|of|by|in|at|and|or|not|no|which|when|its|it|for|with|from)\b"
    # A command line, what fault-around is called, and a file's names stand as they are.
    told = [re.sub(r"`[^`]*`|fault-around|[\w./-]*[._/][\w./-]*", "", line) for line in lines]
    assert [line for line in told if re.search(words, line)] == []
    assert max(map(display_width, lines)) <= 80


def test_columns_stand_below_their_headings() -> None:
    lines = inspector("--lang", "zh", "predict", HELLO).stdout.splitlines()
    heading = next(number for number, line in enumerate(lines) if "地址范围" in line)
    assert display_width(lines[heading].partition("权限")[0]) == lines[heading + 1].index("r--p")


@pytest.mark.parametrize(
    "arguments",
    [("predict", HELLO), ("story", "--predict-only", HELLO), ("explain", "--predict-only", HELLO, "main")],
    ids=lambda arguments: arguments[0],
)
def test_json_is_the_same_in_every_language(arguments: tuple[str, ...]) -> None:
    def told(*language: str) -> object:
        # In place: each staged copy has an inode of its own.
        done = inspector(*language, *arguments, "--in-place", "--json", "-")
        return json.loads(done.stdout)

    assert told("--lang", "zh") == told("--lang", "en")


def test_many_programs_and_the_environment() -> None:
    done = inspector("check", HELLO, "README.md", LC_ALL="zh_CN.UTF-8")
    assert done.returncode == 0
    assert all(CHINESE.search(line) for line in done.stdout.splitlines() if line)


def test_labs_are_chinese_and_their_reports_are_not(tmp_path: Path) -> None:
    def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
        secret = str(tmp_path / "secret")
        Path(secret).write_text("a secret of no one at all, for tests\n", encoding="utf-8")
        return inspector("--lang", "zh", "lab", *arguments, INSPECTOR_LAB_SECRET=secret)

    folder = str(tmp_path / "overlay")
    assert lab("new", "overlay", "--student", "alice", "-o", folder).returncode == 0
    sheet = tmp_path / "overlay/alice/answers.toml"
    sheet.write_text(sheet.read_text(encoding="utf-8").replace('""', '"0x10"', 1), encoding="utf-8")
    asked = (
        lab("list"),
        *(lab("list", name, "--teacher") for name in ready_names()),
        lab("check", f"{folder}/alice"),
        lab("grade", folder, "--exercise", "overlay", "--verbose"),
        *(lab("quiz", "--seed", str(seed)) for seed in range(4)),
    )
    names = re.compile(
        r"`[^`]*`|[\w./-]*[._/-][\w./-]*|\bfault 3\b|Section to Segment|\b(?:hit|faults?|none)\b"
    )
    for done in asked:
        assert done.stderr == ""
        assert CHINESE.search(done.stdout)
        assert [line for line in done.stdout.splitlines() if english(names.sub("", line))] == []
    told = json.loads(lab("check", f"{folder}/alice", "--report", "json=-").stdout)
    assert told["title"] == "Overlays"


def test_pages_and_their_index_are_chinese(tmp_path: Path) -> None:
    done = inspector(
        "--lang", "zh", "check", "--until", "exec", "--html", str(tmp_path), HELLO, "/etc/passwd"
    )
    assert done.returncode == 0
    pages = {path.name[0]: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.html")}
    assert all('<html lang="zh-Hans">' in page for page in pages.values())
    assert "2 个程序" in pages["i"]
    assert "预测与内核一致" in pages["1"]
    assert "EACCES" in pages["2"]


def test_a_picture_is_chinese() -> None:
    picture = inspector("--lang", "zh", "predict", "--gaps", "--svg", "-", HELLO).stdout
    words = re.findall(r">([^<]+)</t", picture.partition("</style>")[2])
    assert 'lang="zh-Hans"' in picture
    assert "未映射" in "".join(words)
    assert [text for text in words if english(text)] == []
    assert " lang=" not in inspector("predict", "--svg", "-", HELLO).stdout


def english(text: str) -> list[str]:
    """Return the words of `text` that make it English, whatever names there are in it."""
    return re.findall(r"\b(?:the|is|are|of|which|when|and|not|at|pages?|areas?|faults?)\b", text)


def test_mutants_are_told_in_chinese() -> None:
    arguments = ("fuzz", HELLO, "--seed", "1", "--first")
    for chosen in (("5",), ("0", "--count", "60")):
        done = inspector("--lang", "zh", *arguments, *chosen)
        assert done.returncode == inspector(*arguments, *chosen).returncode
        assert "个变体" in done.stdout
        assert english(re.sub("inspector fuzz .*", "", done.stdout)) == []
