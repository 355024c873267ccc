"""The identity of a pattern: the same in every repository and on every machine, and proof of its template."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

FINGERPRINT_BYTES: Final = 16
_VERSION: Final = "flocklore/1"  # changes only when templates of the same code change: old and new then never mix


def fingerprint(language: str, view: str, template: str) -> bytes:
    """blake2b-128 of the versioned canonical text, 16 bytes."""
    text = f"{_VERSION}\n{language}\n{view}\n{template}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=FINGERPRINT_BYTES).digest()
