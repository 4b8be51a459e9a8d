"""Errors that are ours: a bug. The user gets one line, the traceback goes where it can be reported from."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

from inspector.errors import InspectorError


class InternalError(InspectorError):
    """A bug of the tool."""

    exit_code = 4


def report_internal_error(error: BaseException) -> InternalError:
    """Put the traceback of `error` on stderr (INSPECTOR_DEBUG=1) or into a file; return the line about it."""
    text = "".join(traceback.format_exception(error))
    message = f"internal error: {type(error).__name__}: {error}"
    if os.environ.get("INSPECTOR_DEBUG", "0") not in {"", "0"}:
        sys.stderr.write(text)
        return InternalError(message, help="this is a bug; please report the traceback above")
    try:
        with tempfile.NamedTemporaryFile("w", prefix="inspector-", suffix=".txt", delete=False) as file:
            file.write(f"{sys.argv}\n{sys.version}\n{text}")
    except OSError:
        return InternalError(
            message, help="this is a bug; please report it with what INSPECTOR_DEBUG=1 shows"
        )
    return InternalError(message, help=f"this is a bug; please report it with {file.name}")
