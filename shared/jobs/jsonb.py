"""What the queue keeps as jsonb: arguments, results, metadata. Refused before PostgreSQL would refuse it."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from shared.errors import UsageError

DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of the arguments or the result of one job; larger ones belong in a table of their own."""

_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def document(value: Any) -> str:
    """Write a value that msgspec knows as the text of a jsonb; raises `UsageError` when it cannot be one."""
    try:
        written = msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UsageError(f"a value of type {type(value).__name__} cannot be kept as JSON: {error}") from error
    if len(written) > DOCUMENT_BYTES_MAX:
        raise UsageError(f"{len(written)} bytes of JSON are more than {DOCUMENT_BYTES_MAX}; keep them in a table")
    if b"\\u0000" in written and _NUL.search(written):
        raise UsageError("PostgreSQL keeps no NUL character in jsonb; remove it from the text")
    return written.decode()


def plain(text: str, characters_max: int) -> str:
    """Cut text from anywhere, keeping its end, to what jsonb can hold."""
    cut = text if len(text) <= characters_max else f"...{text[-characters_max:]}"
    return cut.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
