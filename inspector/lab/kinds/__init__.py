"""The kinds of questions. Each is the form of a table in an exercise's TOML, and says what its truth is."""

from inspector.lab.kinds.areas import VmaField, VmaList
from inspector.lab.kinds.base import Hint, Question
from inspector.lab.kinds.book import OverlayAddresses, OverlayLoads, ReplacementTable
from inspector.lab.kinds.faults import FaultSequence, FirstFault, IllegalAccess
from inspector.lab.kinds.files import ExecveVerdict, SectionsToSegments
from inspector.lab.kinds.loader import Loader
from inspector.lab.kinds.memory import PageTableCost, ResidentPages
from inspector.lab.kinds.stack import StackValues
from inspector.lab.needs import Needs, NotTold

AnyQuestion = (
    VmaList
    | VmaField
    | FaultSequence
    | FirstFault
    | ResidentPages
    | StackValues
    | PageTableCost
    | IllegalAccess
    | ExecveVerdict
    | SectionsToSegments
    | OverlayAddresses
    | OverlayLoads
    | ReplacementTable
    | Loader
)

__all__ = ["AnyQuestion", "Hint", "Loader", "Needs", "NotTold", "Question"]
