"""What truth is to be had here, and for which machine: this one, and recordings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import InspectorError
from inspector.lab.evidence import Evidence, Live
from inspector.lab.needs import Needs, NotTold
from inspector.lab.recording import Recordings, machine_digest

if TYPE_CHECKING:
    from inspector.lab.evidence import Source
    from inspector.model.observation import Observation
    from inspector.model.profile import MachineProfile


@dataclass(frozen=True, slots=True)
class Nothing:
    """A source that has nothing, and says why."""

    reason: str
    name: str = "this machine"

    def observation(self, contents: bytes, arguments: tuple[str, ...], needs: Needs) -> Observation:
        """Raise NotTold."""
        del contents, arguments, needs
        raise NotTold(self.reason)


@dataclass(frozen=True, slots=True)
class Grounds:
    """The sources of one session. `profile` is this machine's; None: it cannot be probed."""

    live: Source
    profile: MachineProfile | None
    recordings: Recordings | None = None

    @classmethod
    def here(cls, recordings: str | None = None, seconds: float = 30.0) -> Grounds:
        """Find out what this machine allows. Raises BadDocument for a directory without recordings."""
        recorded = None if recordings is None else Recordings.open(recordings)
        try:
            from inspector.observe.profile_store import current_profile

            profile: MachineProfile | None = current_profile()
        except (InspectorError, OSError, ImportError) as error:
            return cls(Nothing(str(error)), None, recorded)
        return cls(Live(seconds=seconds), profile, recorded)

    @property
    def digest(self) -> str | None:
        """What this machine's answers depend on, hashed."""
        return None if self.profile is None else machine_digest(self.profile)

    def evidence(self, machine: str | None) -> Evidence:
        """Return the sources for questions about the machine of a digest; None: about any."""
        sources: list[Source] = []
        if machine in (None, self.digest) or isinstance(self.live, Nothing):
            sources.append(self.live)
        else:
            sources.append(Nothing("the questions are about another machine than this one"))
        if self.recordings is not None:
            if machine in (None, self.recordings.machine):
                sources.append(self.recordings)
            else:
                sources.append(
                    Nothing("they are of another machine than the questions", self.recordings.name)
                )
        return Evidence(sources)
