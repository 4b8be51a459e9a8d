"""The elements of the picture, and its colours: Okabe and Ito's, which everyone can tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from inspector.language import chosen, tag
from inspector.report.areas import KIND_WORDS
from inspector.report.text import printable
from inspector.view.pages import Cell

if TYPE_CHECKING:
    from inspector.view.areas import AreaKind

WIDTH = 960
MARGIN = 16

_CELL_CLASSES = {
    Cell.ABSENT: "absent",
    Cell.FILE: "file",
    Cell.ANONYMOUS: "own",
    Cell.ZERO: "zero",
    Cell.SPECIAL: "special",
    Cell.UNKNOWN: "unknown",
    Cell.PREDICTED_ONLY: "wrong only-predicted",
    Cell.OBSERVED_ONLY: "wrong only-observed",
    Cell.OTHER_KIND: "wrong",
}
# Every rule begins with the picture's own class: in a notebook a style holds for the whole page.
_STYLE = """
.inspector { font: 13px system-ui, sans-serif; fill: #1a1a1a; }
.inspector { --ground: #ffffff; --line: #8a8a8a; --none: #ececec; }
.inspector .ground { fill: var(--ground); }
.inspector .title { font-size: 16px; font-weight: 600; }
.inspector .heading { font-size: 14px; font-weight: 600; }
.inspector .small { font-size: 11px; }
.inspector .mono { font: 11px ui-monospace, monospace; white-space: pre; }
.inspector .leader { stroke: var(--line); }
.inspector path { stroke: var(--ground); stroke-width: 1; fill: none; }
.inspector rect { stroke: var(--ground); stroke-width: 0.5; }
.inspector .code, .inspector .file { fill: #56b4e9; }
.inspector .rodata { fill: #b9a44c; }
.inspector .data { fill: #cc79a7; }
.inspector .own { fill: #cc5f9c; }
.inspector .anon { fill: #a8a8a8; }
.inspector .heap { fill: #4f81d8; }
.inspector .stack { fill: #e69f00; }
.inspector .vdso, .inspector .special { fill: #009e73; }
.inspector .zero { fill: #f0e442; }
.inspector .unknown { fill: #8a8a8a; }
.inspector .absent, .inspector .none { fill: var(--none); }
.inspector .wrong { fill: #d55e00; stroke: #d55e00; stroke-width: 1.5; }
.inspector .only-predicted { fill-opacity: 0.25; }
.inspector .differs { stroke: #d55e00; stroke-width: 3; }
@media (prefers-color-scheme: dark) {
  .inspector { fill: #e6e6e6; --ground: #16181d; --line: #7a7a7a; --none: #30343c; }
}
"""


def cell_class(cell: Cell) -> str:
    """Return the class of a page's box."""
    return _CELL_CLASSES[cell]


def kind_class(kind: AreaKind) -> str:
    """Return the class of an area's box."""
    return KIND_WORDS[kind]


class Drawing:
    """An SVG that is being drawn, and what its legend will have to tell."""

    def __init__(self, title: str) -> None:
        """`title` is for those who cannot see the picture."""
        self._root = ET.Element(
            "svg", {"xmlns": "http://www.w3.org/2000/svg", "class": "inspector", "role": "img"}
        )
        if chosen() != "en":
            self._root.set("lang", tag())
        ET.SubElement(self._root, "title").text = printable(title)
        ET.SubElement(self._root, "style").text = _STYLE
        self._ground = ET.SubElement(self._root, "rect", {"class": "ground", "width": str(WIDTH)})
        self.kinds: set[AreaKind] = set()
        self.cells: set[Cell] = set()

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "") -> None:
        """Draw a line of text that begins at (x, y), or has its middle there."""
        element = self._element("text", kind, x=x, y=y)
        element.text = printable(words)
        if anchor:
            element.set("text-anchor", anchor)

    def box(self, x: float, y: float, width: float, height: float, kind: str, title: str = "") -> None:
        """Draw a box; `title` is shown to whoever points at it."""
        element = self._element("rect", kind, x=x, y=y, width=width, height=height)
        if title:
            ET.SubElement(element, "title").text = printable(title)

    def path(self, commands: str) -> None:
        """Draw lines of the ground's colour, over what is there."""
        ET.SubElement(self._root, "path", {"d": commands})

    def line(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw a line that leads from a box to what is said of it."""
        self._element("line", "leader", x1=start[0], y1=start[1], x2=end[0], y2=end[1])

    def finished(self, height: float) -> str:
        """Return the document; the picture ends at `height`."""
        self._ground.set("height", _number(height))
        self._root.set("viewBox", f"0 0 {WIDTH} {_number(height)}")
        self._root.set("width", str(WIDTH))
        self._root.set("height", _number(height))
        ET.indent(self._root, "")
        return ET.tostring(self._root, encoding="unicode") + "\n"

    def _element(self, name: str, kind: str, **numbers: float) -> ET.Element:
        element = ET.SubElement(self._root, name, {key: _number(value) for key, value in numbers.items()})
        if kind:
            element.set("class", kind)
        return element


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
