"""What `make check` asks of the tool, with the tool and the compiler replaced by scripts."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = [
    "help",
    "setup",
    "fixtures",
    "check",
    "test",
    "lint",
    "bench",
    "fuzz",
    "golden",
    "catalogue",
    "screenshots",
    "corpus",
    "clean",
]

COMPILER = """
for word; do
    [ "$previous" != -o ] || { echo "${word##*/}" >>built; touch "$word"; }
    previous=$word
done
case "$*" in *-print-file-name=*) echo start.o ;; esac
"""
INSPECTOR = """
printf '%s\\n' "$@" >>asked
echo >>asked
exit "${STATUS:-0}"
"""


def write_script(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a space in its name, set up already."""
    root = tmp_path / "check out"
    shutil.copytree(ROOT / "fixtures", root / "fixtures", ignore=shutil.ignore_patterns("build"))
    for name in (
        "Makefile",
        "pyproject.toml",
        "requirements.lock",
        "requirements-toolchain.lock",
        "requirements-fuzz.lock",
    ):
        shutil.copy(ROOT / name, root)
    write_script(root / ".ci/setup.sh", "echo set-up ran again; exit 1")
    write_script(root / ".venv/bin/inspector", INSPECTOR)
    write_script(root / ".venv/bin/compiler", COMPILER)
    write_script(root / "bin/objcopy", "true")
    write_script(root / "bin/rm", "true")
    choose_compiler(root, "gcc")
    return root


def choose_compiler(root: Path, kind: str) -> None:
    (root / ".venv/toolchain.mk").write_text(
        f"CC32 := .venv/bin/compiler\nCC32_KIND := {kind}\nGDB := .venv/bin/gdb\n"
    )
    (root / ".venv/root").write_text(f"{root}\n")
    (root / ".venv/set-up").touch()


def make(root: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # Make variables of the make that runs these tests are none of the inner one's business.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    path = f"{root / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["make", *words],
        cwd=root,
        env=inherited | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def runs(root: Path) -> list[list[str]]:
    """The arguments of each call of the tool; an empty argument is not to be told from the end."""
    return [call.split("\n") for call in (root / "asked").read_text().strip("\n").split("\n\n")]


def test_make_alone_prints_help(checkout: Path) -> None:
    result = make(checkout)
    assert result.returncode == 0
    assert [line.split()[1] for line in result.stdout.splitlines()] == TARGETS


def listed(checkout: Path) -> list[list[str]]:
    """The words of each line of the list that check is given."""
    lines = (checkout / "fixtures/with_arguments.list").read_text().splitlines()
    return [words for words in map(shlex.split, lines) if words]


def test_check_is_one_call_with_a_list_for_the_programs_with_arguments(checkout: Path) -> None:
    assert make(checkout, "check").returncode == 0
    ((*plain, option, name),) = runs(checkout)
    assert plain[:2] == ["check", "fixtures/build/section_mapping"]
    assert len(plain) == 1 + len({*plain[1:]})
    with_arguments = [
        "many_arguments",
        "pager",
        "whole_load",
        "major_faults",
        "reclaim",
        "no_overlay",
        "sharing",
    ]
    assert not {f"fixtures/build/{name}" for name in with_arguments} & {*plain}
    assert (option, name) == ("--list", "fixtures/with_arguments.list")
    assert not list((checkout / "fixtures/build").glob("*.list"))
    many, *pager, demand, whole, major, reclaim, sharing, apart, apart_whole = listed(checkout)
    assert apart_whole == [*apart, "whole"]
    assert sharing == ["--stop", "shared", "--stop", "copied", "fixtures/build/sharing"]
    assert (demand[1], whole[1]) == ("demand", "whole")
    # No two read the same file at once: one would bring in what the other has dropped.
    files = {major[1], reclaim[1]}
    assert [(checkout / file).stat().st_size for file in files] == [32 * 4096] * 2
    assert many[:3] == ["EMPTY=", "EQUALS=a=b", "SPACES=two  words"]
    assert [words[1] for words in pager] == ["fifo", "lru", "clock", "opt"]
    assert {(words[0], *words[2:]) for words in pager} == {
        ("fixtures/build/pager", "3", "1 2 3 4 1 2 5 1 2 3 4 5")
    }


def test_the_arguments_fill_more_than_three_pages(checkout: Path) -> None:
    make(checkout, "check", "FIXTURES=many_arguments")
    assert runs(checkout) == [["check", "--list", "fixtures/with_arguments.list"]]
    (words,) = listed(checkout)
    arguments = words[words.index("fixtures/build/many_arguments") + 1 :]
    assert len(arguments) == 40
    assert arguments[:2] == ["", "two  words"]
    assert sum(len(word) + 1 for word in arguments) > 3 * 4096


@pytest.mark.parametrize("status", [0, 1, 3])
def test_the_status_of_check_is_the_status_of_make(checkout: Path, status: int) -> None:
    result = make(checkout, "check", STATUS=str(status))
    assert (result.returncode == 0) == (status == 0)
    assert status == 0 or f"Error {status}" in result.stderr


def test_check_narrows_to_the_fixtures_named(checkout: Path) -> None:
    make(checkout, "check", "FIXTURES=hello bss_tail", "INSPECT_FLAGS=--until exec")
    assert runs(checkout) == [["check", "--until", "exec", "fixtures/build/hello", "fixtures/build/bss_tail"]]
    assert sorted((checkout / "built").read_text().split()) == ["bss_tail", "hello"]


def test_fuzz_installs_its_package_once_and_is_told_how_long(checkout: Path) -> None:
    write_script(checkout / ".venv/bin/python", 'echo "$FUZZ_SECONDS" "$@" >>asked')
    for words in ([], ["FUZZ_SECONDS=9", "FUZZ_TARGETS=program symbols"]):
        assert make(checkout, "fuzz", *words).returncode == 0
    install, *rest = (checkout / "asked").read_text().splitlines()
    assert install.endswith("--require-hashes -r requirements-fuzz.lock")
    assert rest == ["60 -m tests.fuzz", "9 -m tests.fuzz program symbols"]


def test_a_fixture_that_does_not_exist_is_named(checkout: Path) -> None:
    result = make(checkout, "check", "FIXTURES=helo bss_tail")
    assert result.returncode == 2
    assert "There is no fixture named helo. The fixtures are: section_mapping hello " in result.stderr
    assert not (checkout / "asked").exists()


def test_a_second_check_builds_nothing(checkout: Path) -> None:
    make(checkout, "check")
    (checkout / "built").unlink()
    result = make(checkout, "check")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert not (checkout / "built").exists()


def test_what_zig_cannot_link_is_listed_and_left_out(checkout: Path) -> None:
    choose_compiler(checkout, "zig")
    result = make(checkout, "check")
    assert result.returncode == 0
    assert "not built: hello_omagic (zig cannot link it)" in result.stdout.splitlines()
    assert "hello_omagic" not in (checkout / "asked").read_text()
    assert "hello_norelro" in (checkout / "asked").read_text()


def test_set_up_comes_first_when_a_lock_is_newer(checkout: Path) -> None:
    newer = (checkout / ".venv/set-up").stat().st_mtime + 1
    os.utime(checkout / "requirements.lock", (newer, newer))
    result = make(checkout, "check")
    assert result.returncode == 2
    assert "set-up ran again" in result.stdout


def test_set_up_comes_first_when_a_chosen_program_is_gone(checkout: Path) -> None:
    with (checkout / ".venv/toolchain.mk").open("a") as toolchain:
        toolchain.write("SETUP_USES := .venv/bin/compiler /no/such/gdb\n")
    assert "set-up ran again" in make(checkout, "fixtures").stdout


def test_set_up_comes_first_when_the_checkout_has_moved(checkout: Path) -> None:
    moved = checkout.rename(checkout.with_name("elsewhere"))
    assert "set-up ran again" in make(moved, "fixtures").stdout
