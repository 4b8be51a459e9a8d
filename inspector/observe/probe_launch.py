"""Starting the probe's tiny programs, always in the same way."""

from __future__ import annotations

import os

from inspector.model.program import BASE_ENVIRONMENT, Layout, Limits, Program
from inspector.observe import probe_programs
from inspector.observe.anonymous import anonymous_executable
from inspector.observe.credentials import current_credentials
from inspector.observe.limits import permitted


class Images:
    """Probe programs in memory, reachable by a path as long as this is open."""

    def __init__(self) -> None:
        """Start without any."""
        self._descriptors: list[int] = []

    def add(self, contents: bytes) -> str:
        """Add a program; return its path."""
        self._descriptors.append(anonymous_executable(contents))
        return f"/proc/{os.getpid()}/fd/{self._descriptors[-1]}"

    def add_open_for_writing(self) -> str:
        """Add a program that stays open for writing."""
        path = self.add(probe_programs.fixed())
        self._descriptors.append(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
        return path

    def close(self) -> None:
        """Let go of them."""
        for descriptor in self._descriptors:
            os.close(descriptor)


def probe_launch(path: str, layout: Layout = Layout.DEFAULT) -> Program:
    """Return how the program at `path` is started."""
    return Program(
        path=path,
        argv=("probe",),
        envp=BASE_ENVIRONMENT,
        requested=path,
        credentials=current_credentials(),
        cwd="/",
        limits=permitted(Limits()),
        layout=layout,
    )
