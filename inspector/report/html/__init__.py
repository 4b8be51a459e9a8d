"""Reports as pages for a browser: one self-contained file a program, and an index of several.

A page holds everything it needs and asks for nothing: styles and scripts stand in it, known to its
Content-Security-Policy by their hashes; data is JSON that no browser executes. Whatever a program is called,
its name reaches the page as text.

Imported only where a page is asked for: Jinja2 takes longer to load than most commands run.
"""

from inspector.report.html.index import Entry, index_page
from inspector.report.html.page import Subject, page

__all__ = ["Entry", "Subject", "index_page", "page"]
