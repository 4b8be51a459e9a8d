"""Pages of real checks, as the command writes them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inspector.observe.doctor import can_check, examine

pytestmark = pytest.mark.live
FIXTURES = Path(__file__).parents[2] / "fixtures" / "build"
HELLO = FIXTURES / "hello"


@pytest.fixture(scope="module", autouse=True)
def _machine_can_check() -> None:
    if not HELLO.exists():
        pytest.skip("fixtures not built")
    checks = list(examine())
    if not can_check(checks):
        pytest.skip("; ".join(f"{check.name}: {check.detail}" for check in checks if check.ok is False))


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "inspector", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def data_of(path: Path) -> dict[str, Any]:
    (text,) = re.findall(r'type="application/json" id="data">(.*?)</script>', path.read_text(), re.DOTALL)
    data: dict[str, Any] = json.loads(text)
    return data


def test_the_page_of_one_program_is_one_small_file(tmp_path: Path) -> None:
    page = tmp_path / "hello.html"
    done = run("check", "--html", page, HELLO)
    assert (done.returncode, done.stderr) == (0, "")
    assert "prediction and kernel agree" in done.stdout
    assert page.stat().st_size < 1_500_000
    data = data_of(page)
    assert [stop["name"] for stop in data["stops"]] == ["exec", "main", "exit"]
    assert data["timeline"]["count"] > 10
    # The first fault of its own is that of its first instruction.
    assert "_start" in data["timeline"]["symbols"]
    assert "Sections, segments, areas" in page.read_text()


def test_several_programs_get_a_directory_with_an_index(tmp_path: Path) -> None:
    pages = tmp_path / "new" / "pages"
    done = run("check", "--html", pages, HELLO, FIXTURES / "null_read", "/nonexistent/<b>")
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in pages.iterdir())
    assert names == ["1-hello.html", "2-null_read.html", "3-b.html", "index.html"]
    index = (pages / "index.html").read_text()
    assert re.findall(r'<a href="([^"#]+)">', index) == names[:3]
    assert "3 agree (1 does not run), 0 differ" in index
    assert '<a href="index.html">' in (pages / "1-hello.html").read_text()


def test_saved_results_become_the_same_page(tmp_path: Path) -> None:
    prediction, recording, page = (tmp_path / name for name in ("p.json", "o.json", "page.html"))
    assert run("predict", "--json", prediction, HELLO).returncode == 0
    assert run("observe", "-o", recording, HELLO).returncode == 0
    assert run("compare", "--html", page, prediction, recording).returncode == 0
    assert data_of(page)["timeline"]["count"] > 10


def test_a_program_that_has_changed_since_keeps_its_sections_to_itself(tmp_path: Path) -> None:
    program, prediction, recording = tmp_path / "program", tmp_path / "p.json", tmp_path / "o.json"
    program.write_bytes(HELLO.read_bytes())
    program.chmod(0o755)
    run("predict", "--in-place", "--json", prediction, program)
    run("observe", "--in-place", "-o", recording, program)
    page = tmp_path / "page.html"
    for contents, is_there in ((HELLO.read_bytes(), True), (b"\x7fELF another", False)):
        program.write_bytes(contents)
        run("compare", "--html", page, prediction, recording)
        assert ('id="links"' in page.read_text()) == is_there


@pytest.mark.parametrize("programs", [1, 2])
def test_where_no_page_can_be_saved_nothing_is_run(tmp_path: Path, programs: int) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    done = run("check", "--html", file / "page.html", *[HELLO] * programs)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == f"inspector: {file}/page.html: Not a directory"
    assert file.read_text() == "precious"


def test_a_file_in_the_place_of_the_directory_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("precious")
    done = run("check", "--html", file, HELLO, HELLO)
    assert (done.returncode, done.stdout) == (3, "")
    assert "of several programs, --html names a directory for their pages" in done.stderr
    assert file.read_text() == "precious"


def test_a_64_bit_program_has_a_page_of_what_is_known(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    run("check", "--html", page, sys.executable)
    assert "not modelled" in page.read_text()
    assert data_of(page)["stops"]
