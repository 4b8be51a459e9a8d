"""One program loaded in three ways: what each brings in, predicted and observed at every stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LIST = "fixtures/ways_of_loading.list"
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        not os.access(ROOT / "fixtures/build/no_overlay", os.X_OK), reason="fixtures not built"
    ),
]
needs_overlay = pytest.mark.skipif(
    not os.access(ROOT / "fixtures/build/overlay", os.X_OK), reason="this compiler does not build it"
)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    inspector = Path(sys.executable).with_name("inspector")
    return subprocess.run(
        [inspector, "loading", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def documents(*words: str) -> list[dict[str, Any]]:
    done = run("--json", "-", *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@needs_overlay
def test_three_ways_of_loading_agree_at_every_stop() -> None:
    ways = documents("--list", LIST)
    for each in ways:
        assert each["observed"] == each["predicted"]
        assert len(each["predicted"]["moments"]) > 10
    overlay, demand, whole = (each["observed"] for each in ways)
    last = [each["moments"][-1] for each in (overlay, demand, whole)]
    # The manager reads a module as often as it comes back; the kernel brings each page once.
    assert last[0]["read_bytes"] > 0
    assert last[1]["read_bytes"] == last[2]["read_bytes"] == 0
    assert overlay["peak_pages"] < demand["peak_pages"] < whole["peak_pages"]
    assert whole["traps"] < demand["traps"]
    assert last[2]["minor_faults"] > last[1]["minor_faults"]


@needs_overlay
def test_the_manager_reads_as_much_as_it_says() -> None:
    (overlay, *_) = documents("--list", LIST)
    path, calls = overlay["program"], overlay["arguments"][0]
    done = subprocess.run([ROOT / path, calls], capture_output=True, text=True, check=True)
    loaded = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("loaded")]
    reads = [each["read_bytes"] for each in overlay["observed"]["moments"]]
    sizes = [later - earlier for earlier, later in pairwise(reads) if later > earlier]
    assert len(sizes) == len(loaded)
    # A module has one size, and there are several of them.
    assert len(dict(zip(loaded, sizes, strict=True))) == len({*zip(loaded, sizes, strict=True)}) > 2


def test_what_was_dropped_comes_from_the_disk_again(tmp_path: Path) -> None:
    file = tmp_path / "pages"
    file.write_bytes(bytes(32 * 4096))
    (found,) = documents("fixtures/build/major_faults", "--", str(file))
    assert found["observed"] == found["predicted"]


def test_a_prediction_alone_says_that_nothing_was_observed() -> None:
    done = run("--predict-only", "fixtures/build/no_overlay", "--", "A")
    assert done.returncode == 0
    assert "not observed" in done.stdout
    (found,) = documents("--predict-only", "fixtures/build/no_overlay", "--", "A")
    assert found["observed"] is None


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("--list", "/nowhere"), 2),
        (("--predict-only", "--aslr", "fixtures/build/no_overlay"), 2),
        (("/nowhere",), 2),
        (("/etc/passwd",), 3),
    ],
)
def test_what_makes_no_sense_is_one_line_and_a_hint(words: tuple[str, ...], code: int) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (code, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("inspector: ")
    assert second.startswith("  ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_faults_of_user_mode_alone_are_no_count_to_compare() -> None:
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    inspector = Path(sys.executable).with_name("inspector")
    words = [*nobody, str(inspector), "loading", "--json", "-", "fixtures/build/no_overlay", "--", "main A"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 126 or "Permission denied" in done.stderr:
        pytest.skip("another user cannot read the checkout")
    (found,) = map(json.loads, done.stdout.splitlines())
    assert done.returncode == found["exit_code"] == 0
    assert found["observed"]["moments"] == found["predicted"]["moments"]
    assert found["observed"]["traps"] is None
    assert found["predicted"]["traps"] > 10
