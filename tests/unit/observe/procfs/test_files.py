"""errno at the boundary; the reads themselves are tested on live processes."""

from __future__ import annotations

import errno
import os

import pytest

from inspector.errors import CannotObserve, ProcessVanished
from inspector.observe.procfs.files import ProcessFiles


@pytest.mark.parametrize("pid", [0, -1, 1 << 22, 1 << 70])
def test_no_process_has_vanished(pid: int) -> None:
    with pytest.raises(ProcessVanished) as caught:
        ProcessFiles(pid)
    assert caught.value.help


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ESRCH, ProcessVanished),
        (errno.EACCES, CannotObserve),
        (errno.EPERM, CannotObserve),
        (errno.ENOENT, CannotObserve),
        (errno.EMFILE, CannotObserve),
    ],
)
def test_errno_becomes_our_error(
    code: int, kind: type[CannotObserve], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(code, os.strerror(code))

    with ProcessFiles(os.getpid()) as files:
        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(CannotObserve) as caught:
            files.smaps()
    assert type(caught.value) is kind
    if code in {errno.EACCES, errno.EPERM, errno.ENOENT}:
        assert caught.value.help


def test_a_process_hidden_by_proc_is_not_taken_for_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def hide(*_: object, **__: object) -> int:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(os, "open", hide)
    with pytest.raises(CannotObserve, match="not to be seen") as caught:
        ProcessFiles(os.getpid())
    assert not isinstance(caught.value, ProcessVanished)
    assert "hidepid" in caught.value.help
