"""Arithmetic of support: in how many files a pattern occurs, kept as one packed blob per file."""

from __future__ import annotations

import struct
from typing import NamedTuple

from instance.learning.idioms import FilePatterns
from schemas.fingerprint import FINGERPRINT_BYTES
from shared.errors import PermanentError

_VERSION = b"\x01"
_RECORD = struct.Struct(f">{FINGERPRINT_BYTES}sI")
_OCCURRENCES_MAX = 0xFFFFFFFF


class Delta(NamedTuple):
    """How one file's change changes a pattern's support."""

    files: int
    occurrences: int


def pack(patterns: FilePatterns) -> bytes:
    """Return a file's postings as bytes: a version, then (fingerprint, occurrences) sorted by fingerprint."""
    records = sorted(patterns.occurrences.items())
    return _VERSION + b"".join(_RECORD.pack(identity, min(count, _OCCURRENCES_MAX)) for identity, count in records)


def unpack(postings: bytes) -> dict[bytes, int]:
    """Return the occurrences by fingerprint; raises `PermanentError` on bytes `pack` did not make."""
    if postings[:1] != _VERSION or (len(postings) - 1) % _RECORD.size:
        raise PermanentError("postings of an unknown form; mine this file again")
    return dict(_RECORD.iter_unpack(memoryview(postings)[1:]))


def difference(old: bytes | None, new: bytes | None) -> dict[bytes, Delta]:
    """Return what replacing a file's old postings by its new ones changes; None or empty: there is no such file."""
    before = unpack(old) if old else {}
    after = unpack(new) if new else {}
    deltas: dict[bytes, Delta] = {}
    for identity in before.keys() | after.keys():
        delta = Delta((identity in after) - (identity in before), after.get(identity, 0) - before.get(identity, 0))
        if delta != (0, 0):
            deltas[identity] = delta
    return deltas
