"""What a check found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from msgspec import Struct

from shared.errors import FlockloreError

Level = Literal["ok", "unknown", "warning", "error"]


class Finding(Struct, frozen=True, kw_only=True):
    """The outcome of one check under a name that stays the same in every release."""

    check: str
    level: Level
    detail: str
    fix: str = ""


Check = Callable[[], Iterable[Finding]]


def ok(check: str, detail: str) -> Finding:
    """As it should be."""
    return Finding(check=check, level="ok", detail=detail)


def unknown(check: str, detail: str) -> Finding:
    """It cannot be told from here; no fault."""
    return Finding(check=check, level="unknown", detail=detail)


def warning(check: str, detail: str, fix: str) -> Finding:
    """It works, but not as it should."""
    return Finding(check=check, level="warning", detail=detail, fix=fix)


def error(check: str, detail: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(check=check, level="error", detail=detail, fix=fix)


def run_checks(checks: Iterable[tuple[str, Check]]) -> Iterator[Finding]:
    """Run checks one after another; one that fails with our own error is a finding of its name."""
    for name, check in checks:
        try:
            yield from check()
        except FlockloreError as failure:
            reason, _, fix = str(failure).rpartition("; ")
            yield error(name, reason or fix, fix if reason else "")
