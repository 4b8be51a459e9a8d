"""A browser for all tests, and the pages of five programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inspector.errors import InspectorError
from tests.browser import chromium, reports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inspector.reconcile import Reconciliation

FIXTURES = Path(__file__).parents[2] / "fixtures" / "build"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Yield a running Chromium."""
    if reason := chromium.missing():
        pytest.skip(reason)
    with chromium.browser() as running:
        yield running


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Reconciliation]:
    """Return what checks one of `reports.NAMES`, once."""
    if not (FIXTURES / "hello").exists():
        pytest.skip("fixtures not built")
    scratch = tmp_path_factory.mktemp("programs")
    done: dict[str, Reconciliation] = {}

    def check(name: str) -> Reconciliation:
        if name not in done:
            try:
                done[name] = reports.reconciliation_of(name, FIXTURES, scratch)
            except InspectorError as error:
                pytest.skip(f"this machine cannot observe: {error}")
        return done[name]

    return check


@pytest.fixture(scope="session")
def page_file(
    checked: Callable[[str], Reconciliation], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Return what writes the page of one of `reports.NAMES`, once."""
    directory = tmp_path_factory.mktemp("pages")

    def write(name: str) -> Path:
        path = directory / f"{name}.html"
        if not path.exists():
            path.write_bytes(reports.page_of(checked(name)))
        return path

    return write


class Opened:
    """A page in a tab, and all that it did that it should not."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:  # noqa: ANN401 - Playwright's own
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text())

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Opened]]:  # noqa: ANN401
    """Return what opens a page; whatever the test did with it, it said nothing and asked for nothing."""
    every: list[Opened] = []

    def open_(path: Path, **options: Any) -> Opened:  # noqa: ANN401
        every.append(Opened(browser, path, **options))
        return every[-1]

    yield open_
    for each in every:
        address = each.page.url.partition("#")[0]
        each.context.close()
        assert each.messages == []
        assert {url.partition("#")[0] for url in each.requests} <= {address}
