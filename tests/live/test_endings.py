"""How the processes end that a program forks: predicted, and told by the kernel to a listener."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.model.ending import Ending
from inspector.observe import observe
from inspector.observe.perf.endings import Endings
from inspector.predict import predict
from inspector.reconcile import reconcile
from tests.live import launches
from tests.live.compiling import static_program
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")]


def hears() -> bool:
    """Whether this machine tells us of the end of processes."""
    with Endings() as endings:
        pid = os.fork()
        if pid == 0:
            os._exit(3)
        os.waitpid(pid, 0)
        return endings.of([pid]) == (Ending(status=3),)


@pytest.fixture(scope="module")
def program(stage: Path) -> Path:
    built, source = stage / "endings", Path(__file__).with_name("endings.c")
    return static_program(source, built)


def test_every_childs_end_is_predicted(program: Path, profile: MachineProfile) -> None:
    if not hears():
        pytest.skip("may not listen to the process connector (CAP_NET_ADMIN)")
    launched = launches.launch(program)
    observation = observe(launched)
    assert list(map(str, observation.children)) == ["exit 77", "SIGSEGV", "SIGTERM"]
    result = reconcile(predict(launched, profile), observation)
    told = [(f.where, f.verdict.value) for f in result.findings if f.aspect == "ending"]
    assert told == [(where, "agrees") for where in ("", "process 1", "process 2", "process 3")]
    assert disagreements(launched, profile) == []


def test_where_nobody_may_listen_no_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("inspector.observe.perf.endings.socket.socket", refuse)
    with Endings() as endings:
        assert endings.of([1, 2]) == (None, None)


def test_a_number_that_was_given_out_twice_is_no_ones() -> None:
    with Endings() as endings:
        assert endings.of([7, 7]) == (None, None)
