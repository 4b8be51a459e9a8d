"""What a student is given: generators of files and numbers, each a function of its options and a draw."""

from inspector.lab.programs.book import Overlay, Pages, References
from inspector.lab.programs.files import Layouts, Verdicts
from inspector.lab.programs.given import Given
from inspector.lab.programs.touches import Touches

AnyGenerator = Touches | Verdicts | Layouts | Overlay | References | Pages | Given

__all__ = ["AnyGenerator"]
