"""Set-up on machines of every kind, each one a directory of stand-in commands."""

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = [
    "basename",
    "cat",
    "chmod",
    "cmp",
    "cp",
    "dirname",
    "env",
    "mkdir",
    "mktemp",
    "rm",
    "sed",
    "sh",
    "tail",
    "touch",
    "true",
]

# A Python that makes a .venv of itself and whose pip only writes down what it was asked for.
PYTHON = """
case "$*" in
    *version_info\\ \\<*) exit {too_old} ;;
    *"%d.%d"*) echo 3.11 ;;
    *"import ensurepip"*) [ -e "$STATE/venv-module" ] ;;
    *"import ziglang"*) [ -e "$STATE/ziglang" ] ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip --version") ;;
    "-m ziglang "*) [ -e "$STATE/ziglang" ] ;;
    *" install "*)
        for last; do :; done
        name=${{last##*/}}
        echo "$name" >>"$STATE/pip"
        case $name in
            ziglang.lock | gdb-for-pwndbg.lock) [ -e "$STATE/online" ] || exit 1 ;;
        esac
        case $name in
            ziglang.lock) touch "$STATE/ziglang"; cp "$last" "$STATE" ;;
            gdb-for-pwndbg.lock) echo '#!/bin/sh' >.venv/bin/gdb; chmod +x .venv/bin/gdb ;;
        esac ;;
    *) echo "unexpected: $*" >&2; exit 9 ;;
esac
"""
# A package manager whose installs bring the commands they should.
MANAGER = """
echo "$(basename "$0") $*" >>"$STATE/manager"
case "$*" in *gcc*) touch "$STATE/multilib"; cp "$STATE/gcc" "$STATE/bin/gcc" ;; esac
case "$*" in *gdb*) cp "$STATE/true" "$STATE/bin/gdb" ;; esac
case "$*" in *venv*) touch "$STATE/venv-module" ;; esac
case "$*" in *chromium*) cp "$STATE/true" "$STATE/bin/chromium" ;; esac
"""
GCC = '[ "$1" != -m32 ] || [ -e "$STATE/multilib" ]'


@dataclass
class Machine:
    """A checkout, and the only directory on the PATH of its machine."""

    state: Path
    checkout: Path = field(init=False)

    def __post_init__(self) -> None:
        self.checkout = self.state / "check out"
        (self.state / "bin").mkdir()
        (self.checkout / ".ci").mkdir(parents=True)
        shutil.copy(ROOT / ".ci/setup.sh", self.checkout / ".ci")
        for lock in ("requirements.lock", "requirements-toolchain.lock", "requirements-browser.lock"):
            shutil.copy(ROOT / lock, self.checkout)
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found
            (self.state / "bin" / tool).symlink_to(found)
        self.write(self.state / "gcc", GCC)
        self.write(self.state / "true", "true")
        self.command("python3", PYTHON.format(too_old=0))
        self.command("id", "echo 1000")
        self.has("venv-module", "online")

    def write(self, path: Path, body: str) -> None:
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def command(self, name: str, body: str) -> None:
        self.write(self.state / "bin" / name, body)

    def has(self, *facts: str) -> None:
        for fact in facts:
            (self.state / fact).touch()

    def lacks(self, fact: str) -> None:
        (self.state / fact).unlink()

    def with_gcc_and_gdb(self) -> None:
        self.has("multilib")
        self.command("gcc", GCC)
        self.command("gdb", "true")

    def set_up(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.checkout / ".ci/setup.sh", *words],
            env={"PATH": str(self.state / "bin"), "STATE": str(self.state), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def log(self, name: str) -> list[str]:
        path = self.state / name
        return path.read_text().splitlines() if path.exists() else []

    def toolchain(self) -> dict[str, str]:
        lines = (self.checkout / ".venv/toolchain.mk").read_text().splitlines()
        return dict(line.split(" := ") for line in lines)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_is_there_is_used(machine: Machine) -> None:
    machine.with_gcc_and_gdb()
    assert machine.set_up().returncode == 0
    assert machine.toolchain() == {
        "CC32": f"{machine.state}/bin/gcc -m32",
        "CC32_KIND": "gcc",
        "GDB": f"{machine.state}/bin/gdb",
        "SETUP_USES": f".venv/bin/python {machine.state}/bin/gcc {machine.state}/bin/gdb",
    }
    assert machine.log("pip") == ["requirements.lock", "."]


def test_a_second_run_changes_nothing_that_a_fixture_depends_on(machine: Machine) -> None:
    machine.with_gcc_and_gdb()
    machine.set_up()
    before = (machine.checkout / ".venv/toolchain.mk").stat().st_mtime_ns
    assert machine.set_up().returncode == 0
    assert (machine.checkout / ".venv/toolchain.mk").stat().st_mtime_ns == before
    assert machine.log("pip") == ["requirements.lock", ".", "."]


def test_a_checkout_that_moved_gets_a_new_venv(machine: Machine) -> None:
    machine.with_gcc_and_gdb()
    machine.set_up()
    machine.checkout = machine.checkout.rename(machine.state / "elsewhere")
    assert machine.set_up().returncode == 0
    assert machine.log("pip") == ["requirements.lock", "."] * 2


def test_a_venv_that_may_not_be_removed_is_said_in_one_line(machine: Machine) -> None:
    machine.with_gcc_and_gdb()
    (machine.checkout / ".venv").mkdir()
    (machine.state / "bin/rm").unlink()
    refusing = '*.venv) for file in 1 2 3; do echo "cannot remove $file" >&2; done; exit 1 ;;'
    machine.command("rm", f'case "$*" in {refusing} esac; exec {shutil.which("rm")} "$@"')
    done = machine.set_up()
    assert done.returncode == 1
    _, said = done.stderr.split("\n\n")
    (line,) = said.splitlines()
    assert line.startswith("set-up: .venv does not work here and may not be removed: have its owner")
    assert not machine.log("pip")


@pytest.mark.parametrize(
    ("manager", "installs"),
    [
        ("apt-get", ["gcc-multilib", "gdb"]),
        ("dnf", ["gcc glibc-devel.i686 glibc-static.i686 libgcc.i686", "gdb"]),
        ("pacman", ["gcc lib32-glibc lib32-gcc-libs", "gdb"]),
    ],
)
@pytest.mark.parametrize("privilege", ["root", "sudo"])
def test_missing_packages_are_installed_without_a_question(
    machine: Machine, manager: str, installs: list[str], privilege: str
) -> None:
    machine.command(manager, MANAGER)
    machine.command("gcc", GCC)  # a gcc alone: it cannot link for -m32
    if privilege == "root":
        machine.command("id", "echo 0")
    else:
        machine.command("sudo", '[ "$1" = -n ] && shift && exec "$@"')
    assert machine.set_up().returncode == 0
    assert machine.toolchain()["CC32_KIND"] == "gcc"
    asked = [line for line in machine.log("manager") if " update" not in line]
    assert [line.endswith(names) for line, names in zip(asked, installs, strict=True)] == [True, True]


def test_a_venv_module_is_installed_for_the_version_at_hand(machine: Machine) -> None:
    machine.with_gcc_and_gdb()
    machine.lacks("venv-module")
    machine.command("apt-get", MANAGER)
    machine.command("id", "echo 0")
    assert machine.set_up().returncode == 0
    assert machine.log("manager")[-1].endswith(" python3.11-venv")


@pytest.mark.parametrize("reason", ["sudo asks", "forbidden", "the install fails"])
def test_python_packages_stand_in_for_system_packages(machine: Machine, reason: str) -> None:
    machine.command("apt-get", "exit 1" if reason == "the install fails" else MANAGER)
    machine.command("sudo", "echo a password is required; exit 1")
    if reason != "sudo asks":
        machine.command("id", "echo 0")
    result = machine.set_up(**{"INSPECTOR_SETUP_NO_SYSTEM": "1"} if reason == "forbidden" else {})
    assert result.returncode == 0
    assert machine.log("manager") == []
    assert machine.toolchain()["CC32"] == ".venv/bin/python -m ziglang cc -target x86-linux-musl"
    assert machine.toolchain()["CC32_KIND"] == "zig"
    assert machine.toolchain()["GDB"] == ".venv/bin/gdb"
    assert [line for line in result.stderr.splitlines() if "stands in" in line] == [
        "set-up: no gcc -m32 here: zig stands in, a Python package of 100 MB that takes a minute at first",
        "set-up: no gdb here: gdb-for-pwndbg stands in, a Python package",
    ]


def test_a_stand_in_is_installed_from_its_own_entry_of_the_lock(machine: Machine) -> None:
    machine.set_up()
    entry = machine.log("ziglang.lock")
    assert entry[0].startswith("ziglang==")
    assert all("--hash=sha256:" in line for line in entry[1:])
    assert not entry[-1].endswith("\\")


def test_what_is_ignored_counts_as_missing(machine: Machine) -> None:
    machine.with_gcc_and_gdb()
    assert machine.set_up(INSPECTOR_SETUP_IGNORE="gdb", INSPECTOR_SETUP_NO_SYSTEM="1").returncode == 0
    assert machine.toolchain()["CC32_KIND"] == "gcc"
    assert machine.toolchain()["GDB"] == ".venv/bin/gdb"


def test_when_nothing_helps_one_message_names_every_command(machine: Machine) -> None:
    machine.lacks("online")
    result = machine.set_up()
    assert result.returncode == 1
    assert "a compiler that links static i386 programs (gcc -m32); gdb;" in result.stderr
    assert result.stderr.splitlines()[-4:] == [
        "    sudo apt-get install gcc-multilib gdb",
        "    sudo dnf install gcc glibc-devel.i686 glibc-static.i686 libgcc.i686 gdb",
        "    sudo pacman -S gcc lib32-glibc lib32-gcc-libs gdb",
        "    sudo apk add zig gdb",
    ]
    assert not (machine.checkout / ".venv/toolchain.mk").exists()


def test_a_missing_venv_module_is_named_with_everything_else_that_is_missing(machine: Machine) -> None:
    machine.lacks("venv-module")
    result = machine.set_up()
    assert result.returncode == 1
    assert "    sudo apt-get install python3.11-venv gcc-multilib gdb" in result.stderr.splitlines()


def test_an_old_python_is_refused_by_name(machine: Machine) -> None:
    machine.command("python3", PYTHON.format(too_old=1))
    result = machine.set_up()
    assert result.returncode == 1
    assert "Python 3.11 or newer is needed, and python3 is not" in result.stderr


def test_a_newer_python_beside_an_old_python3_is_found(machine: Machine) -> None:
    machine.with_gcc_and_gdb()
    machine.command("python3", PYTHON.format(too_old=1))
    machine.command("python3.12", PYTHON.format(too_old=0))
    result = machine.set_up()
    assert result.returncode == 0
    assert "making .venv with python3.12" in result.stderr


def test_a_browser_is_installed_once_with_what_drives_it(machine: Machine) -> None:
    machine.with_gcc_and_gdb()
    machine.set_up()
    machine.command("apt-get", MANAGER)
    machine.command("id", "echo 0")
    for _ in range(2):
        assert machine.set_up("browser").returncode == 0
    assert machine.log("pip") == ["requirements.lock", ".", "requirements-browser.lock"]
    assert [line.split()[-1] for line in machine.log("manager")] == ["-qq", "chromium"]


def test_without_a_browser_set_up_succeeds_and_says_what_is_skipped(machine: Machine) -> None:
    machine.with_gcc_and_gdb()
    machine.set_up()
    result = machine.set_up("browser", INSPECTOR_SETUP_NO_SYSTEM="1")
    assert result.returncode == 0
    assert "set-up: without chromium the tests of pages are skipped" in result.stderr
    assert (machine.checkout / ".venv/browser").exists()


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("requirements*.lock")))
def test_locks_pin_with_hashes_and_name_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    requirements = text.replace("\\\n", " ").splitlines()
    pinned = [line for line in requirements if line and not line.lstrip().startswith("#")]
    assert pinned
    assert all("==" in line and "--hash=sha256:" in line for line in pinned)
    assert not any(word in text for word in ("://", "--index-url", "--find-links"))
