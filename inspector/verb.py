"""Packages that can be called by their own name."""

from __future__ import annotations

from types import ModuleType
from typing import Any


class Verb(ModuleType):
    """A package whose call is that of the function of its own name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - the function's own types
        """Call `inspector.predict.predict(...)` as `inspector.predict(...)`."""
        return getattr(self, self.__name__.rpartition(".")[2])(*arguments, **options)
