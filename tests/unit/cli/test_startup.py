"""What is imported, and when: a command pays for what it uses."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {
    "capstone", "elftools", "jinja2", "msgspec", "pygdbmi", "tabulate", "unicorn",
}  # fmt: skip


def imported(*arguments: str) -> set[str]:
    """Return the top-level modules that a command line imported."""
    code = (
        "import sys\n"
        "from inspector.cli import run\n"
        f"run({list(arguments)!r})\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("--help",),
        ("check", "--help"),
        ("observe",),
        ("check",),
        ("lab",),
        ("lab", "grade", "--help"),
    ],
    ids=" ".join,
)
def test_help_and_usage_errors_import_no_library_but_click(arguments: tuple[str, ...]) -> None:
    assert not imported(*arguments) & HEAVY


def test_the_list_of_rules_needs_a_table_and_nothing_else() -> None:
    assert imported("rules") & HEAVY == {"tabulate"}


def test_predicting_needs_no_debugger() -> None:
    assert not imported("predict", "--until", "exec", "/nonexistent") & {"pygdbmi", "unicorn", "capstone"}


def test_templates_are_loaded_only_where_a_page_is_asked_for(tmp_path: Path) -> None:
    checked = ("check", "/nonexistent", "--json", "/dev/null")
    assert "jinja2" not in imported(*checked)
    assert "jinja2" in imported(*checked, "--html", str(tmp_path / "page.html"))
