"""The secret that variants derive from, and the names of students."""

from __future__ import annotations

import os
import re

from inspector.errors import UsageError
from inspector.model.saving import read_document

VARIABLE = "INSPECTOR_LAB_SECRET"
OPEN = b"inspector lab: no secret"
"""What stands for a secret where none is given: anyone can make these variants."""
_LEAST_BYTES, _MOST_BYTES = 16, 4096
_NAME = re.compile(r"[\w][\w.@+-]{0,63}")


def read_secret(path: str | None) -> bytes:
    """Return the secret in a file: the one named, or that $INSPECTOR_LAB_SECRET names. Raises UsageError."""
    path = path or os.environ.get(VARIABLE)
    if not path:
        return OPEN
    secret = read_document(path).strip()
    if not _LEAST_BYTES <= len(secret) <= _MOST_BYTES:
        raise UsageError(
            f"{path}: a secret has {_LEAST_BYTES} to {_MOST_BYTES} bytes",
            help="make one: head -c 32 /dev/urandom | base64 > FILE",
        )
    return secret


def require_name(student: str) -> str:
    """Return a student's name that can be that of a folder. Raises UsageError."""
    if not _NAME.fullmatch(student):
        raise UsageError(
            f"{student!r:.80} is no name for a student",
            help="use letters, digits and . @ + - _, up to 64 of them, and begin with a letter or digit",
        )
    return student
