"""How a result shows itself in a notebook."""

from __future__ import annotations

from importlib import import_module


class ShownInNotebooks:
    """A result with a picture of its own (IPython's rich display).

    The picture is the report's, which stands above the model and knows it: so the model asks for it by name,
    when a notebook asks for it.
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        html: str = import_module("inspector.report.picture").html_of(self)
        return html
