"""Arithmetic of support: in how many files a pattern occurs, kept as one packed blob per file."""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from instance.learning.containment import Containment, compared
from instance.learning.idioms import FilePatterns, Idiom
from instance.learning.information import bits
from schemas.fingerprint import FINGERPRINT_BYTES
from shared.errors import PermanentError

_VERSION = b"\x01"
_RECORD = struct.Struct(f">{FINGERPRINT_BYTES}sI")
_OCCURRENCES_MAX = 0xFFFFFFFF
_USE_BITS = 6.0  # what a use still costs once the pattern has a name: where it stands, what fills its holes
_BITS_MAX = 60.0  # beyond this a pattern is a copied file rather than a habit
_FAMILY_MAX = 3


class Delta(NamedTuple):
    """How one file's change changes a pattern's support."""

    files: int
    occurrences: int


class Candidate(NamedTuple):
    """An idiom and its support in one repository."""

    idiom: Idiom
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
    """Return what replacing a file's old postings by its new ones changes; None: there is no such file."""
    before = unpack(old) if old is not None else {}
    after = unpack(new) if new is not None else {}
    deltas: dict[bytes, Delta] = {}
    for identity in before.keys() | after.keys():
        delta = Delta((identity in after) - (identity in before), after.get(identity, 0) - before.get(identity, 0))
        if delta != (0, 0):
            deltas[identity] = delta
    return deltas


def score(idiom: Idiom, files: int, files_total: int) -> float:
    """Return the description length a pattern saves, in bits: each use names it instead of spelling it out.

    `files * (bits - log2(files_total / files) - use) - bits`, after the two-part code of minimum description length.
    """
    spelled = min(bits(idiom.template, idiom.names), _BITS_MAX)
    naming = math.log2(max(files_total, files, 1) / max(files, 1)) + _USE_BITS
    return files * (spelled - naming) - spelled


def select(candidates: Iterable[Candidate], files_total: int, *, limit: int, min_files: int = 2) -> list[Candidate]:
    """Return the best candidates, best first, without those another chosen one makes redundant."""
    ranked = sorted(
        (candidate for candidate in candidates if candidate.files >= min_files),
        key=lambda candidate: (-score(candidate.idiom, candidate.files, files_total), candidate.idiom.fingerprint),
    )
    chosen: list[Candidate] = []
    families: Counter[tuple[str, ...]] = Counter()
    containment = Containment()
    for candidate in ranked:
        if len(chosen) == limit:
            break
        family = _family(candidate.idiom)
        if families[family] == _FAMILY_MAX:
            continue
        one = compared(candidate.idiom.template, candidate.files)
        if not containment.makes_redundant(one):
            containment.choose(one)
            chosen.append(candidate)
            families[family] += 1
    return chosen


def _family(idiom: Idiom) -> tuple[str, ...]:
    """Return what variants of one habit share: the first two public names, or the template itself."""
    names = tuple(name for name, _ in idiom.names[:2])
    return names or (idiom.template,)
