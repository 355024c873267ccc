"""The identity of a pattern: the same 16 bytes in every repository and on every machine."""

from __future__ import annotations

from hashlib import blake2b

FINGERPRINT_BYTES = 16
_VERSION = "flocklore/1"  # changes only when templates of the same code change: old and new then never mix


def fingerprint(language: str, view: str, template: str) -> bytes:
    """Return blake2b-128 of the versioned canonical text, 16 bytes."""
    text = f"{_VERSION}\n{language}\n{view}\n{template}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=FINGERPRINT_BYTES).digest()


def hexadecimal(identity: bytes) -> str:
    """Return a fingerprint as 32 lower-case hexadecimal digits."""
    return identity.hex()
