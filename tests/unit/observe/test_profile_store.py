"""The profile is probed once, and again whenever what it hangs on is no longer so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.errors import BadDocument, CannotObserve, CannotSave
from inspector.model.document import parse_profile, profile_document
from inspector.observe import probe, profile_store
from inspector.observe.memory import ram_bytes, swap_bytes
from inspector.observe.profile_store import current_profile, load_profile, save_profile
from inspector.observe.system import system_names
from tests.machines import PROFILE as MADE_UP

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.profile import MachineProfile

PROFILE = replace(MADE_UP, ram_bytes=ram_bytes(), swap_bytes=swap_bytes(), system=system_names())


class Probes:
    """A stand-in for the probe that counts its calls."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> MachineProfile:
        self.count += 1
        return PROFILE


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> Probes:
    counting = Probes()
    monkeypatch.setattr(probe, "probe_profile", counting)
    return counting


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "inspector"


def cached(directory: Path) -> list[Path]:
    return sorted(directory.glob("profile-*.json"))


def test_it_is_probed_once(cache: Path, probes: Probes) -> None:
    assert [current_profile() for _ in range(3)] == [PROFILE] * 3
    assert probes.count == 1
    (file,) = cached(cache)
    assert cache.stat().st_mode & 0o077 == 0
    assert list(cache.iterdir()) == [file]


def test_it_is_probed_again_on_demand(cache: Path, probes: Probes) -> None:
    current_profile()
    (file,) = cached(cache)
    before = file.stat().st_ino
    assert current_profile(probe_again=True) == PROFILE
    assert probes.count == 2
    assert [path.stat().st_ino != before for path in cached(cache)] == [True]


def test_a_cached_profile_is_a_profile_document(cache: Path, probes: Probes) -> None:
    current_profile()
    (file,) = cached(cache)
    assert load_profile(str(file)) == PROFILE
    assert json.loads(file.read_bytes())["schema"] == "inspector.profile/2"
    assert probes.count == 1


def test_the_default_place_is_under_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probes: Probes
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        current_profile()
    monkeypatch.delenv("XDG_CACHE_HOME")
    current_profile()
    assert probes.count == 1
    assert len(cached(tmp_path / ".cache" / "inspector")) == 1


def checked(rest: bytes) -> bytes:
    """Return a file whose checksum is right, whatever follows it."""
    rest = b'"' + rest
    return b'{"crc32":"%08x' % zlib.crc32(rest) + rest


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "without its last byte": lambda whole: whole[:-1],
    "half of it": lambda whole: whole[: len(whole) // 2],
    "cut in the checksum": lambda whole: whole[:12],
    "one digit changed": lambda whole: whole.replace(b"4096", b"4095", 1),
    "a byte too many": lambda whole: whole + b"x",
    "noise": lambda _: bytes(range(256)),
    "no JSON": lambda _: checked(b"}"),
    "for other facts": lambda _: checked(b',"probed_for":[]}'),
    "nested deeply": lambda _: checked(b',"probed_for":' + b"[" * 100_000),
    "no profile": lambda _: checked(b',"probed_for":%s}' % json.dumps(profile_store._facts()).encode()),
    "another type": lambda whole: checked(whole[19:].replace(b'"auxv":', b'"auxv":5,"x":')),
    "not base64": lambda whole: checked(whole[19:].replace(b'"vdso":"', b'"vdso":"!')),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_probed_again_and_replaced(cache: Path, probes: Probes, damage: str) -> None:
    current_profile()
    (file,) = cached(cache)
    whole = file.read_bytes()
    assert checked(whole[19:]) == whole
    file.write_bytes(DAMAGES[damage](whole))
    assert current_profile() == PROFILE
    assert probes.count == 2
    assert file.read_bytes() == whole


def test_what_is_no_file_is_as_good_as_no_cache(cache: Path, probes: Probes) -> None:
    current_profile()
    (file,) = cached(cache)
    file.unlink()
    os.mkfifo(file)
    assert current_profile() == PROFILE
    file.unlink()
    file.mkdir()
    assert current_profile() == PROFILE
    assert probes.count == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_file_of_another_user_is_not_believed(cache: Path, probes: Probes) -> None:
    current_profile()
    (file,) = cached(cache)
    os.chown(file, 12345, 12345)
    current_profile()
    assert probes.count == 2


@pytest.mark.parametrize(
    "sysctl",
    ["vm/legacy_va_layout", "vm/mmap_min_addr", "vm/overcommit_memory", "vm/max_map_count", "abi/vsyscall32"],
)
def test_a_changed_setting_is_probed_again(
    cache: Path, probes: Probes, sysctl: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "sys"
    for name in ("kernel/random/boot_id", sysctl):
        (settings / name).parent.mkdir(parents=True, exist_ok=True)
        (settings / name).write_text("0\n")
    monkeypatch.setattr(profile_store, "_PROC_SYS", str(settings))
    for value in ("0\n", "1\n", "1\n", "0\n"):
        (settings / sysctl).write_text(value)
        current_profile()
    assert probes.count == 2
    assert len(cached(cache)) == 2


def test_another_boot_is_probed_and_old_ones_are_forgotten(
    cache: Path, probes: Probes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = tmp_path / "sys" / "kernel" / "random" / "boot_id"
    boot.parent.mkdir(parents=True)
    monkeypatch.setattr(profile_store, "_PROC_SYS", str(tmp_path / "sys"))
    for number in range(12):
        boot.write_text(f"{number}\n")
        current_profile()
    assert probes.count == 12
    assert len(cached(cache)) == 8
    current_profile()
    assert probes.count == 12


def test_a_boot_without_a_name_is_not_cached(
    cache: Path, probes: Probes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_store, "_PROC_SYS", str(tmp_path))
    current_profile()
    current_profile()
    assert probes.count == 2
    assert not cache.exists()


def test_memory_is_counted_at_every_start(cache: Path, probes: Probes) -> None:
    current_profile()
    (file,) = cached(cache)
    document = json.loads(file.read_bytes())
    document.pop("crc32")
    file.write_bytes(checked(b"," + json.dumps(document | {"ram_bytes": 1}).encode()[1:]))
    assert current_profile() == PROFILE
    assert probes.count == 1


@pytest.mark.parametrize("home", [None, "", "relative", "/proc/nowhere", "/dev/null", "/\0"])
def test_without_a_place_it_works_without_a_cache(
    home: str | None, probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    if home == "/\0":
        monkeypatch.setattr(os, "environ", {"HOME": home})
    elif home is not None:
        monkeypatch.setenv("HOME", home)
    assert current_profile() == PROFILE
    assert current_profile() == PROFILE
    assert probes.count == 2


def test_a_home_that_is_not_there_is_not_made(
    tmp_path: Path, probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    current_profile()
    current_profile()
    assert probes.count == 2
    assert not (tmp_path / "home").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_leaves_no_files_in_a_users_home(cache: Path, probes: Probes) -> None:
    os.chown(cache.parent, 12345, 12345)
    current_profile()
    current_profile()
    assert probes.count == 2
    assert not cache.exists()


def test_a_probe_that_fails_is_not_cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> MachineProfile:
        raise CannotObserve("no")

    monkeypatch.setattr(probe, "probe_profile", fail)
    for _ in range(2):
        with pytest.raises(CannotObserve):
            current_profile()
    assert cached(cache) == []


WRITER = """
import sys
from inspector.observe import probe, profile_store
from tests.machines import PROFILE
probe.probe_profile = lambda: PROFILE
for _ in range(200):
    facts = profile_store._facts()
    path = profile_store._cache_path(facts)
    profile_store._store(path, facts, PROFILE)
    loaded = profile_store._load(path, facts)
    assert loaded is not None and loaded.vdso == PROFILE.vdso
"""


def test_writers_at_the_same_time(cache: Path) -> None:
    root = str(Path(__file__).parents[3])
    writers = [subprocess.Popen([sys.executable, "-c", WRITER], cwd=root) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(cached(cache)) == 1
    assert len(list(cache.iterdir())) == 1


LIGHT = """
import sys
from inspector.observe.profile_store import current_profile
current_profile()
heavy = {"msgspec", "ctypes", "subprocess", "inspector.observe.probe"} & set(sys.modules)
assert not heavy, heavy
"""


def test_a_cached_profile_imports_nothing_that_probes(cache: Path, probes: Probes) -> None:
    current_profile()
    root = str(Path(__file__).parents[3])
    subprocess.run([sys.executable, "-c", LIGHT], cwd=root, check=True)
    assert len(cached(cache)) == 1
    assert probes.count == 1


@pytest.mark.live
def test_a_real_profile_survives_the_cache(cache: Path) -> None:
    try:
        probed = current_profile()
    except CannotObserve as reason:
        pytest.skip(str(reason))
    assert len(cached(cache)) == 1
    assert current_profile() == probed
    assert parse_profile(profile_document(probed)) == probed


def test_a_profile_is_saved_and_loaded(tmp_path: Path) -> None:
    path = str(tmp_path / "machine.json")
    save_profile(path, PROFILE)
    assert load_profile(path) == PROFILE


def test_loading_and_saving_can_fail(tmp_path: Path) -> None:
    with pytest.raises(CannotSave):
        save_profile(str(tmp_path), PROFILE)
    (tmp_path / "empty").write_bytes(b"")
    for name in ("absent", "empty"):
        with pytest.raises(BadDocument, match=name):
            load_profile(str(tmp_path / name))
