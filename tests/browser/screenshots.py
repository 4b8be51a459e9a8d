"""Makes the pictures of the README from a real run: `make screenshots`.

`python -m tests.browser.screenshots` writes docs/page-map.png and docs/page-fault.png.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.browser import chromium, reports

ROOT = Path(__file__).parents[2]
FAULT = 12
"""The one shown: a copy on write."""


def main() -> int:
    if reason := chromium.missing():
        sys.stderr.write(f"{reason}\n")
        return 1
    with tempfile.TemporaryDirectory() as scratch, chromium.browser() as browser:
        file = Path(scratch) / "hello.html"
        checked = reports.reconciliation_of("hello", ROOT / "fixtures" / "build", Path(scratch))
        file.write_bytes(reports.page_of(checked))
        for scheme, height, section, picture in (
            ("light", 730, "space", "page-map.png"),
            ("dark", 700, "faults", "page-fault.png"),
        ):
            page = browser.new_page(viewport={"width": 1060, "height": height}, color_scheme=scheme)
            page.goto(file.as_uri())
            page.click("text=At exit >> nth=0")
            for _ in range(FAULT - 1):
                page.click("#go-on")
            page.mouse.move(0, 0)
            page.evaluate(f"document.getElementById('{section}-title').scrollIntoView()")
            page.screenshot(path=ROOT / "docs" / picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
