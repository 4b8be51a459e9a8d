"""One target under the coverage-guided fuzzer: `python -m tests.fuzz.engine TARGET [libFuzzer's options]`."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time

import atheris

# Whatever is imported in here is rewritten to report which of its branches are taken.
with atheris.instrument_imports(include=["inspector"]):
    from tests.fuzz.targets import TARGETS

from tests.fuzz.__main__ import SLOWEST_SECONDS
from tests.fuzz.mutators import MUTATORS

OWN_MUTATIONS = 0.7


class TooSlow(Exception):
    """An input took more than SLOWEST_SECONDS of processor time."""


def _is_too_slow(target: str, data: bytes) -> bool:
    """Whether the input is too slow without instrumentation, too, which makes a loop several times slower."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        command = [sys.executable, "-m", "tests.fuzz", "--replay", target, file.name]
        return subprocess.run(command, capture_output=True, check=False).returncode != 0


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough."""
    name = sys.argv.pop(1)
    target, mutator = TARGETS[name], MUTATORS.get(name)

    def one_input(data: bytes) -> None:
        start = time.process_time()
        target(data)
        taken = time.process_time() - start
        # Processor time, so that a loaded machine is no finding; real time is for libFuzzer's -timeout.
        if taken > SLOWEST_SECONDS and _is_too_slow(name, data):
            raise TooSlow(f"{taken:.1f} s under instrumentation")

    def mutated(data: bytes, longest: int, seed: int) -> bytes:
        rng = random.Random(seed)  # noqa: S311 - libFuzzer's number makes a run repeatable
        if mutator is None or rng.random() > OWN_MUTATIONS:
            return bytes(atheris.Mutate(data, longest))
        for _ in range(rng.choice((1, 1, 2, 4))):
            data = mutator(data, rng)
        return data[:longest]

    atheris.Setup(sys.argv, one_input, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
