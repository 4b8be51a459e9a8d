"""`make fuzz`: every target under the coverage-guided fuzzer, for a share of FUZZ_SECONDS each.

    python -m tests.fuzz [TARGET...]             fuzz, for FUZZ_SECONDS (60) in all
    python -m tests.fuzz --replay TARGET FILE    run one input, without the fuzzer

What it has learnt is kept in .fuzz/TARGET/corpus for the next time, inputs that went wrong beside it. The
exit code is 1 if there is one, 2 for a request that makes no sense, 3 where there is no fuzzer.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

KEPT = Path(".fuzz")
DEFAULT_SECONDS = 60
LARGEST_RESIDENT_MIB = 300
"""Of the whole process: the interpreter with libraries, instrumentation and corpus takes 60 of them."""
SLOWEST_SECONDS = 1.0
"""Of processor time, for one input."""
LONGEST_SECONDS = 20
"""Of real time: for what waits instead of working."""
LONGEST_BYTES = 1 << 17
FINDING, USAGE, NO_FUZZER = 1, 2, 3
_FIGURES = {
    "executions": r"stat::number_of_executed_units: +(\d+)",
    "edges": r"(?s:.*) cov: (\d+) ",
    "MiB at most": r"stat::peak_rss_mb: +(\d+)",
}


def main(arguments: list[str]) -> int:
    """Fuzz, or replay; return the exit code."""
    if arguments[:1] == ["--replay"]:
        return replay(*arguments[1:]) if len(arguments) == 3 and arguments[1] in TARGETS else _usage()
    chosen = arguments or list(TARGETS)
    seconds = os.environ.get("FUZZ_SECONDS") or str(DEFAULT_SECONDS)
    if not set(chosen) <= set(TARGETS) or not seconds.isdecimal():
        return _usage()
    if importlib.util.find_spec("atheris") is None:
        here = f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}"
        sys.stderr.write(
            "make fuzz: no atheris here: its packages are for CPython 3.11 to 3.14 on x86-64 with glibc;"
            f" this is {here}\n"
        )
        return NO_FUZZER
    share = max(1, int(seconds) // len(chosen))
    # Not a generator: the others are fuzzed, too.
    return max([fuzz(target, share) for target in chosen])


def _usage() -> int:
    sys.stderr.write(
        f"usage: python -m tests.fuzz [TARGET...] | --replay TARGET FILE; targets: {', '.join(TARGETS)},"
        " and FUZZ_SECONDS is a number\n"
    )
    return USAGE


def fuzz(target: str, seconds: int) -> int:
    """Fuzz one target and print a line about it; return FINDING if there is one."""
    place = KEPT / target
    given = place / "seeds"
    for directory in (given, place / "corpus"):
        directory.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (given / f"{number:03}").write_bytes(seed)
    log = place / "log"
    with log.open("w") as stream:
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzz.engine", target),
                *(f"-max_total_time={seconds}", f"-timeout={LONGEST_SECONDS}", f"-max_len={LONGEST_BYTES}"),
                *(f"-rss_limit_mb={LARGEST_RESIDENT_MIB}", f"-artifact_prefix={place}/"),
                "-print_final_stats=1",
                *(str(place / "corpus"), str(given)),
            ],
            stdout=stream,
            stderr=stream,
            check=False,
        )
    said = log.read_text(errors="replace")
    figures = [f"{found[1]} {name}" for name, form in _FIGURES.items() if (found := re.search(form, said))]
    sys.stdout.write(f"{target:9} {', '.join(figures)}\n")
    if not ended.returncode:
        return 0
    sys.stdout.write(f"{target:9} found something: {_reason(said)}; {log} has it all\n")
    if found := re.search(r"Test unit written to (\S+)", said):
        sys.stdout.write(f"    {sys.executable} -m tests.fuzz --replay {target} {found[1]}\n")
    return FINDING


def _reason(said: str) -> str:
    """Return the line that tells what went wrong."""
    found = re.search(r"Uncaught Python exception: ===\n(.*)", said) or re.search(r"SUMMARY: (.*)", said)
    return found[1] if found else said.strip().rpartition("\n")[2]


def replay(target: str, file: str) -> int:
    """Run one input and print what it took; FINDING if that is too long. A traceback is Python's own."""
    data = Path(file).read_bytes()
    start = time.process_time()
    try:
        TARGETS[target](data)
    finally:
        mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        seconds = time.process_time() - start
        sys.stdout.write(f"{target}: {len(data)} bytes, {seconds:.2f} s, {mebibytes} MiB\n")
    return FINDING if seconds > SLOWEST_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
