"""inspector fuzz against the running kernel: mutants agree, a broken rule is found, nothing stays behind."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.elf.header import ELF32, ELF64, EM_X86_64, ET_DYN
from inspector.errors import LaunchFailed, NotModelled
from inspector.fuzz import trial
from inspector.fuzz.campaign import Campaign, Subject
from inspector.fuzz.fields import changes
from inspector.fuzz.mutation import mutant
from inspector.fuzz.surroundings import Role, Surroundings, surroundings
from inspector.fuzz.trial import Standing, try_file
from inspector.model.prediction import ExecVerdict, Outcome
from inspector.model.program import UNLIMITED, Layout
from inspector.observe.exec_stage import ExecStage
from inspector.predict.kernel import binfmt_elf
from inspector.predict.kernel.elf_checks import ElfProgram
from inspector.predict.kernel.errno import Errno, KernelError
from tests.elfwriter import Elf, Phdr, R, W, gnu_stack

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "fixtures" / "build"
FIXTURES = [path for path in sorted(BUILT.glob("*")) if path.is_file() and os.access(path, os.X_OK)]
INSPECTOR = Path(sys.executable).with_name("inspector")
TINY = Elf().build()
MUTANTS = int(os.environ.get("INSPECTOR_FUZZ_MUTANTS", "400"))


WIDE = Elf([Phdr(vaddr=0x400000), gnu_stack()], machine=EM_X86_64, entry=0x400100, layout=ELF64).build()
EVERYTHING = (
    *("verdict", "VMAs", "registers", "stack bytes", "auxv", "pages"),
    *(("frames",) if os.geteuid() == 0 else ()),
    *("minor faults", "major faults", "page tables", "brk"),
)
OF_64_BITS = tuple(name for name in EVERYTHING if name not in ("registers", "stack bytes", "auxv"))


def subjects() -> tuple[Subject, ...]:
    if not FIXTURES:
        pytest.skip("fixtures not built: run make fixtures")
    return tuple(Subject.read(str(path)) for path in FIXTURES)


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [INSPECTOR, "fuzz", *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("layout", Layout)
def test_mutants_of_the_fixtures_agree(layout: Layout, profile: MachineProfile) -> None:
    tally = Campaign(subjects(), profile, seed=1, first=0, count=MUTANTS, layout=layout).run()
    shown = [(case.program, case.number, *map(str, case.changes), case.trial) for case in tally.cases]
    assert shown == []
    assert tally.standings[Standing.AGREES] >= 0.999 * MUTANTS
    assert not tally.standings[Standing.UNOBSERVED]
    compared = tally.reasons_of(Standing.AGREES)
    assert compared["verdict"] > MUTANTS / 4
    assert compared[", ".join(EVERYTHING)] > MUTANTS / 4


def test_mutants_of_64_bit_programs_agree(profile: MachineProfile) -> None:
    given = (Subject("wide", WIDE), Subject.read("/bin/true"))
    tally = Campaign(given, profile, seed=1, first=0, count=MUTANTS).run()
    shown = [(case.program, case.number, *map(str, case.changes), case.trial) for case in tally.cases]
    assert shown == []
    assert tally.reasons_of(Standing.AGREES)[", ".join(OF_64_BITS)] > MUTANTS / 4


@pytest.mark.parametrize("contents", [TINY, WIDE], ids=["32-bit", "64-bit"])
@pytest.mark.parametrize(
    "around",
    [
        Surroundings(stack_limit=0),
        Surroundings(stack_limit=1 << 30),
        Surroundings(stack_limit=UNLIMITED),
        Surroundings(bottom_up=True),
        Surroundings(argv_lengths=()),
        Surroundings(argv_lengths=(131071,)),
        Surroundings(envp_lengths=(131072,)),
        Surroundings(stack_limit=0x21000, bottom_up=True, argv_lengths=(1,) * 1500),
    ],
    ids=str,
)
def test_surroundings_reach_the_program(
    around: Surroundings, contents: bytes, profile: MachineProfile
) -> None:
    """They are predicted and executed alike, and what the kernel makes of the program changes with them."""
    with ExecStage(contents) as stage:
        stage.set_file(contents)
        tried = try_file(contents, stage, profile, surroundings=around)
        plain = stage.execute(stage.program)
        program = stage.otherwise(
            stage.program,
            stack_limit=around.stack_limit,
            argv=around.strings("argv"),
            envp=around.strings("envp"),
        )
        seen = stage.execute(program, bottom_up=around.bottom_up)
    assert tried.standing is Standing.AGREES
    assert plain.snapshot is not None
    if seen.snapshot is None:
        assert seen.verdict == ExecVerdict(Outcome.REFUSED, errno="E2BIG")
    else:
        assert seen.snapshot.vmas != plain.snapshot.vmas or seen.snapshot.auxv != plain.snapshot.auxv


def test_verdict_and_address_space_are_compared(profile: MachineProfile) -> None:
    """Mutants that run, that are refused and that are killed are among those that agree."""
    with ExecStage(TINY) as stage:
        outcomes = {}
        for name, contents in {
            "runs": TINY,
            "refused": TINY[:20],
            "killed": Elf(entry=0xFFFFE000).build(),
        }.items():
            assert try_file(contents, stage, profile).standing is Standing.AGREES
            outcomes[name] = stage.execute(stage.program)
    assert outcomes["runs"].verdict == ExecVerdict(Outcome.RUNS)
    assert outcomes["runs"].snapshot is not None
    assert len(outcomes["runs"].snapshot.vmas or ()) > 4
    assert outcomes["runs"].snapshot.stack is not None
    assert outcomes["refused"].verdict == ExecVerdict(Outcome.REFUSED, errno="ENOEXEC")
    assert outcomes["killed"].verdict == ExecVerdict(Outcome.KILLED, signal="SIGSEGV")


@pytest.mark.parametrize(
    ("contents", "lengths"), [(b"", [1, 1]), (b"ab\0" * 1365, [3, 3])], ids=["zeros", "strings"]
)
def test_a_segment_over_the_initial_stack(
    contents: bytes, lengths: list[int], profile: MachineProfile
) -> None:
    """The kernel measures argv and envp in what the segment has in their place (rule `stack.overlaid`)."""
    top = profile.layouts["default"].task_size
    over = Phdr(offset=0x1000, vaddr=top - 0x1000, flags=R | W)
    program = Elf(phdrs=[Phdr(), over, gnu_stack()], contents={0x1000: contents}).build()
    with ExecStage(program) as stage:
        assert try_file(program, stage, profile).standing is Standing.AGREES
        seen = stage.execute(stage.program).snapshot
    assert seen is not None
    assert seen.stack is not None
    argc, argv, null, *envp = struct.unpack("<6I", seen.stack.contents[:24])
    assert (argc, null) == (1, 0)
    assert 0 < envp[0] - argv <= lengths[0]  # it may begin in the middle of one
    assert [after - before for before, after in itertools.pairwise(envp)] == lengths


def test_a_read_only_page_over_the_strings_is_shared_memory(profile: MachineProfile) -> None:
    """The kernel reads the strings there, and maps the file's own page: that of a memfd."""
    top = profile.layouts["default"].task_size
    over = Phdr(offset=0x1000, vaddr=top - 0x1000, flags=R)
    program = Elf(phdrs=[Phdr(), over, gnu_stack()], contents={0x1000: b"ab\0" * 1365}).build()
    with ExecStage(program) as stage:
        trial = try_file(program, stage, profile, surroundings=Surroundings(argv_lengths=(9000,)))
    assert trial.standing is Standing.AGREES, trial
    if os.geteuid() == 0:
        assert "frames" in {finding.aspect for finding in trial.findings}


@pytest.mark.parametrize("flags", [R, 0, R | W], ids=["r--", "---", "beyond the file"])
def test_a_stack_that_cannot_be_written_kills(flags: int, profile: MachineProfile) -> None:
    top = profile.layouts["default"].task_size
    offset = 0x1000 if flags != R | W else 0x10000
    over = Phdr(offset=offset, vaddr=top - 0x1000, flags=flags)
    program = Elf(phdrs=[Phdr(), over, gnu_stack()]).build()
    with ExecStage(program) as stage:
        assert try_file(program, stage, profile).standing is Standing.AGREES
        assert stage.execute(stage.program).verdict == ExecVerdict(Outcome.KILLED, signal="SIGSEGV")


def test_an_interpreter_whose_size_wraps(profile: MachineProfile) -> None:
    """The kernel adds up a 32-bit file's addresses in 32 bits (rule `elf.total-size`)."""
    interpreter = Elf(
        type=ET_DYN,
        entry=0x10000100,
        phdrs=[Phdr(vaddr=0xFFFFC000, memsz=0x5000), Phdr(offset=0x1000, vaddr=0x10000000), gnu_stack()],
    ).build()
    with ExecStage(interpreter) as stage:
        assert try_file(interpreter, stage, profile, Role.INTERPRETER).standing is Standing.AGREES
        assert stage.execute(stage.host).verdict == ExecVerdict(Outcome.RUNS)


def test_no_mutant_executes_an_instruction(tmp_path: Path) -> None:
    """This one would make a file with its first instructions."""
    mark = tmp_path / "mark"
    # mov eax, 8 (creat); mov ebx, path; mov ecx, 0644; int 0x80
    code = b"\xb8\x08\0\0\0\xbb\x40\x81\x04\x08\xb9\xa4\x01\0\0\xcd\x80"
    program = Elf(contents={0x100: code, 0x140: bytes(mark) + b"\0"}).build()
    made = tmp_path / "program"
    made.write_bytes(program)
    made.chmod(0o755)
    subprocess.run([made], check=False)
    assert mark.exists()
    mark.unlink()
    with ExecStage(program) as stage:
        stage.set_file(program)
        assert stage.execute(stage.program).verdict.outcome is Outcome.RUNS
    assert not mark.exists()


def test_a_broken_rule_is_found_and_shrunk_to_its_field(
    profile: MachineProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the kernel refused a segment whose memory is smaller than its file with another errno."""

    def lenient(segment: object, address: int, task_size: int) -> None:
        del segment, address, task_size

    monkeypatch.setattr(binfmt_elf, "_check_size", lenient)
    tally = Campaign((Subject("tiny", TINY),), profile, seed=1, first=0, count=300).run()
    assert tally.exit_code == 1
    fields = [[change.name for change in case.changes] for case in tally.cases]
    assert ["phdr[0].p_memsz"] in fields
    for case in tally.cases:
        assert case.trial.differences[0].observed == "killed: SIGSEGV"


def test_surroundings_are_put_back_where_they_do_not_matter(
    profile: MachineProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binfmt_elf, "_check_size", lambda *_: None)
    tally = Campaign((Subject("tiny", TINY),), profile, seed=1, first=0, count=300).run()
    numbers = [case.number for case in tally.cases]
    assert any(surroundings(1, number) != Surroundings() for number in numbers)
    assert {case.surroundings for case in tally.cases} == {Surroundings()}


def test_what_a_prediction_does_not_model_is_counted_by_name(
    profile: MachineProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise NotModelled("a thing")

    monkeypatch.setattr(trial, "predict", unknown)
    with ExecStage(TINY) as stage:
        found = try_file(TINY, stage, profile)
    assert (found.standing, found.reason) == (Standing.NOT_MODELLED, "a thing")


def test_a_prediction_that_breaks_is_a_finding(
    profile: MachineProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise IndexError("out of range")

    monkeypatch.setattr(binfmt_elf, "_check_size", broken)
    tally = Campaign((Subject("tiny", TINY),), profile, seed=1, first=0, count=20).run()
    assert tally.exit_code == 4
    assert re.fullmatch(r"IndexError: out of range, at test_fuzz.py:\d+", tally.cases[0].trial.reason)


def test_a_predicted_errno_is_held_against_the_real_one(
    profile: MachineProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = binfmt_elf.load

    def refusing(*arguments: object, **named: object) -> object:
        program = arguments[1]
        assert isinstance(program, ElfProgram)
        if program.layout is ELF32 and program.main.header.entry != 0x08048100:
            raise KernelError(Errno.EINVAL, "elf.entry")
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(binfmt_elf, "load", refusing)
    tally = Campaign((Subject("tiny", TINY),), profile, seed=2, first=0, count=200).run()
    cases = [case for case in tally.cases if case.role is Role.PROGRAM]
    assert {tuple(change.name for change in case.changes) for case in cases} == {("e_entry",)}


def test_the_command_says_how_many_agree_and_mutants_can_be_made_again(tmp_path: Path) -> None:
    made = tmp_path / "tiny"
    made.write_bytes(TINY)
    whole = fuzz(str(made), "--count", "120", "--seed", "3", "--json", "-")
    assert whole.returncode in (0, 3), whole.stderr
    total = json.loads(whole.stdout.splitlines()[-1])
    assert (total["schema"], total["count"], total["seed"]) == ("inspector.fuzz/1", 120, 3)
    assert total["agree"] + sum(total["not_modelled"].values()) == 120
    assert total["differ"] == 0
    assert sum(each["mutants"] for each in total["compared"]) == total["agree"]


@pytest.mark.parametrize("contents", [TINY, WIDE], ids=["32-bit", "64-bit"])
def test_a_mutant_replayed_alone_is_shown_and_saved(contents: bytes, tmp_path: Path) -> None:
    """It is the mutant that the whole stretch had by that number, under the same surroundings."""
    made, keep = tmp_path / "tiny", tmp_path / "keep"
    made.write_bytes(contents)
    number = next(n for n in range(100) if surroundings(3, n).argv_lengths is not None)
    expected = mutant(contents, 3, number)
    done = fuzz(str(made), "--seed", "3", "--first", str(number), "--keep", str(keep), "--json", "-")
    shown, total = map(json.loads, done.stdout.splitlines())
    assert (total["count"], total["first"]) == (1, number)
    assert [change["field"] for change in shown["changes"]] == [
        change.name for change in changes(contents, expected)
    ]
    assert shown["surroundings"]["argv_lengths"] == list(surroundings(3, number).argv_lengths or ())
    assert shown["compared"][0] == "verdict"
    assert (keep / f"tiny-3-{number}").read_bytes() == expected
    text = fuzz(str(made), "--seed", "3", "--first", str(number)).stdout.splitlines()
    assert f"argv of {len(shown['surroundings']['argv_lengths'])} string" in text[0]
    assert text[0].endswith(f"again: inspector fuzz {made} --seed 3 --first {number}")
    assert text[1].startswith(f"seed 3, 1 mutant from {number}: ")


def test_where_nothing_differs_no_directory_is_made(tmp_path: Path) -> None:
    made, keep = tmp_path / "tiny", tmp_path / "keep"
    made.write_bytes(TINY)
    assert fuzz(str(made), "--seed", "3", "--count", "5", "--keep", str(keep)).returncode == 0
    assert not keep.exists()
    done = fuzz(str(made), "--seed", "3", "--count", "5", "--keep", str(made))
    assert done.returncode == 3
    assert done.stderr.startswith(f"inspector: {made}: Not a directory")


def test_a_program_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    empty = tmp_path / "empty"
    empty.touch()
    for path in ("/no/such/program", str(tmp_path), str(fifo), "/dev/null", str(empty)):
        done = fuzz(path, "--count", "1")
        assert done.returncode == 2
        assert done.stderr.startswith(f"inspector: {path}: ")
        assert "Traceback" not in done.stderr


def test_anything_can_be_mutated(tmp_path: Path) -> None:
    made = tmp_path / "text"
    for contents in (b"\n", b"#!/no/such\n", b"text\n", b"\x7fELF" + b"\xff" * 100):
        made.write_bytes(contents)
        done = fuzz(str(made), "--count", "60", "--seed", "1")
        assert done.returncode in (0, 3), (contents, done.stdout, done.stderr)


def test_the_stage_can_be_set_once_at_a_time() -> None:
    with ExecStage(TINY), pytest.raises(LaunchFailed, match="descriptor 900 is in use"):
        ExecStage(TINY)
    with ExecStage(TINY) as stage:
        stage.set_file(TINY)
        assert stage.execute(stage.program).verdict.outcome is Outcome.RUNS


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_nothing_is_left_behind(how: signal.Signals, tmp_path: Path) -> None:
    made = tmp_path / "tiny"
    made.write_bytes(TINY)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    staged = _staged()
    process = subprocess.Popen(
        [INSPECTOR, "fuzz", made, "--count", "1000000", "--seed", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    group = process.pid
    deadline = time.monotonic() + 30
    while not _launchers(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(how)
    _, errors = process.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while _session(group) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _session(group) == []
    assert _launchers(group) == []
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert "go on with --seed 1 --first " in errors
    # Neither where temporary files go, nor where programs are staged, nor beside the program.
    assert list(scratch.iterdir()) == []
    # What others stage meanwhile goes when they end.
    new = _staged() - staged
    deadline = time.monotonic() + 60
    while new & _staged() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert new & _staged() == set()
    assert sorted(tmp_path.iterdir()) == [scratch, made]


def _staged() -> set[Path]:
    """Return what stands where programs are staged."""
    return set(Path("/dev/shm").glob("inspector-*/*"))  # noqa: S108 - only looked at


def _session(leader: int) -> list[int]:
    """Return the processes of a session that are there and not merely unreaped."""
    return [pid for pid, fields in _stats() if fields[3] == str(leader) and fields[0] != "Z"]


def _launchers(ancestor: int) -> list[int]:
    """Return the launchers and mutants below a process: each leads a session of its own."""
    parents = {pid: int(fields[1]) for pid, fields in _stats() if fields[0] != "Z"}

    def is_below(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == ancestor:
                return True
        return False

    return [pid for pid in parents if is_below(pid) and os.getsid(0) != pid and _leads(pid)]


def _leads(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def _stats() -> list[tuple[int, list[str]]]:
    """Return every process and its fields of /proc/PID/stat from the state on."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                found.append((int(path.name), (path / "stat").read_text().rpartition(")")[2].split()))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def test_what_differs_is_kept_and_does_differ_again(tmp_path: Path) -> None:
    """With a profile that lies, mutants differ; the line that shows one says how to see it again."""
    made, keep, profile = tmp_path / "tiny", tmp_path / "keep", tmp_path / "profile.json"
    made.write_bytes(TINY)
    subprocess.run([INSPECTOR, "profile", "-o", profile], check=True, capture_output=True)
    lies = json.loads(profile.read_bytes())
    lies["exec_rules"]["program_headers_limit"] = 64
    profile.write_text(json.dumps(lies))
    done = fuzz(str(made), "--count", "100", "--seed", "4", "--profile", str(profile), "--keep", str(keep))
    assert done.returncode == 1, done.stderr
    line = done.stdout.splitlines()[0]
    again = shlex.split(line.partition("again: inspector fuzz ")[2])
    assert f"--profile={profile}" in again
    assert fuzz(*again).stdout.splitlines()[0] == line
    assert "predicted refused: ENOEXEC" in line
    name = f"tiny-4-{again[again.index('--first') + 1]}"
    assert os.access(keep / name, os.X_OK)
    assert (keep / name).read_bytes() != TINY
