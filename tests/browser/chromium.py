"""The distribution's Chromium, driven by Playwright: what it takes, or why it is not to be had."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("chromium", "chromium-browser", "google-chrome")


def missing() -> str:
    """Return what keeps pages from being opened; empty if nothing does."""
    if find_spec("playwright") is None or find_spec("axe_playwright_python") is None:
        return "Playwright or axe-core is not installed: .ci/setup.sh browser"
    if executable() is None:
        return "there is no chromium: .ci/setup.sh browser"
    return ""


def executable() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def browser() -> Iterator[Any]:
    """Yield a running Chromium. Its sandbox needs a user that is not root."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable(), args=arguments)
        try:
            yield running
        finally:
            running.close()


def axe() -> str:
    """Return the source of axe-core."""
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
