"""An interrupt that Python loses comes again."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
from unicorn.unicorn_py3.unicorn import uccallback

from inspector.predict.machine.engine import Engine

SCRIPT = """
import os, signal, time
from contextlib import suppress
from inspector.cli import interrupt
interrupt._CLEANING_SECONDS = 0.2
interrupt.raise_interrupts()
with suppress(interrupt.Interrupted):
    os.kill(os.getpid(), signal.SIGTERM)
try:
    time.sleep(10)
except interrupt.Interrupted as again:
    interrupt.no_more_interrupts()
    time.sleep(0.5)
    print(again, again.exit_code)
"""


def test_a_lost_interrupt_is_raised_again_until_it_is_heard() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout == "terminated 143\n", done.stderr


AT_FORK = """
import os, signal, time
from inspector.cli import interrupt
logging = {"__name__": "logging", "os": os, "signal": signal}
exec("def hook():\\n  os.kill(os.getpid(), signal.SIGTERM)\\n  return 0", logging)
os.register_at_fork(after_in_parent=logging["hook"])
interrupt.raise_interrupts()
try:
    if os.fork() == 0:
        os._exit(0)
    time.sleep(2)
except interrupt.Interrupted as heard:
    interrupt.no_more_interrupts()
    print(heard)
"""


def test_an_interrupt_during_a_fork_waits_for_its_end() -> None:
    done = subprocess.run([sys.executable, "-c", AT_FORK], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("terminated\n", "")


IN_A_CALLBACK = """
import ctypes, os, signal, time
from inspector.cli import interrupt
module = {"__name__": "NAME", "os": os, "signal": signal}
exec("def FUNCTION():\\n  os.kill(os.getpid(), signal.SIGTERM)\\n  return 0", module)
interrupt.raise_interrupts()
try:
    ctypes.CFUNCTYPE(ctypes.c_int)(module["FUNCTION"])()
    time.sleep(2)
except interrupt.Interrupted as heard:
    interrupt.no_more_interrupts()
    print(heard)
"""


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("importlib._bootstrap", "cb"),
        ("unicorn.unicorn_py3.unicorn", "wrapper"),
        ("unicorn.unicorn_py3.unicorn", "__init__"),
        ("unicorn.unicorn_py3.unicorn", "__del__"),
        ("inspector.predict.machine.engine", "fill"),
    ],
)
def test_an_interrupt_in_what_c_has_called_waits_for_its_end(module: str, function: str) -> None:
    script = IN_A_CALLBACK.replace("NAME", module).replace("FUNCTION", function)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("terminated\n", "")


def test_those_callbacks_are_what_they_are_called() -> None:
    engine = inspect.getsource(Engine)
    for name in ("fill", "on_code", "on_memory"):
        assert f"def {name}(" in engine
    assert "def wrapper(" in inspect.getsource(uccallback)
