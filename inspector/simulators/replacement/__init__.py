"""Page replacement: which page leaves when one comes and every frame is taken.

references ──> replay(references, policy) ──> Step, Step, ...    one at a time, whatever their number
               fault_curve(name, references) ──> faults for every number of frames; LRU's in one pass
"""

from inspector.simulators.replacement.curve import anomalies, fault_curve
from inspector.simulators.replacement.policy import POLICIES, Policy, make_policy
from inspector.simulators.replacement.references import parse_references, random_references
from inspector.simulators.replacement.replay import ProgramReferences, Replacement, Step, count_faults, replay
from inspector.simulators.replacement.stack_distance import MissRatioCurve, lru_curve

__all__ = [
    "POLICIES",
    "MissRatioCurve",
    "Policy",
    "ProgramReferences",
    "Replacement",
    "Step",
    "anomalies",
    "count_faults",
    "fault_curve",
    "lru_curve",
    "make_policy",
    "parse_references",
    "random_references",
    "replay",
]
