"""Tests: how many there are for the code, and where they lie."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.architecture.evidence import Evidence
from instance.learning.architecture.pattern import ArchitecturePattern, coarse_share, lower_bound, pattern
from instance.learning.architecture.places import parent
from instance.learning.testfiles import is_test

_CODE_MIN = 10
"""Of less code nobody expects tests."""
_MANY, _SOME = 0.5, 0.1
_INLINE = "tests"  # Rust keeps unit tests in the file they test


def testing_patterns(evidence: Evidence) -> Iterator[ArchitecturePattern]:
    """Yield how many test files there are for each file of code, and which share lies in a directory with code."""
    code = [path for files in evidence.production.values() for path in files]
    if len(code) < _CODE_MIN:
        return
    tests = [path for files in evidence.outlines.values() for path in files if is_test(path)]
    outlines = (outline for files in evidence.production.values() for outline in files.values())
    inline = sum(bool(outline.counts.get(_INLINE)) for outline in outlines)
    directories = set(map(parent, code))
    beside = inline + sum(parent(path) in directories for path in tests)
    count = len(tests) + inline
    name, text = _judge(count / len(code))
    measures = {"per_file": round(count / len(code), 1), "beside": coarse_share(beside / max(1, count))}
    yield pattern(name, count or len(code), text, confidence=lower_bound(len(code), len(code)), measures=measures)


def _judge(per_file: float) -> tuple[str, str]:
    """Return a name and a description."""
    if per_file >= _MANY:
        return "tests.many", "at least one test file for two files of code"
    if per_file >= _SOME:
        return "tests.some", "at least one test file for ten files of code"
    return "tests.few", "fewer than one test file for ten files of code"
