"""Versions of any ecosystem compared by their numbers, and the one of several that a spec asks for."""

from __future__ import annotations

import re
from collections.abc import Collection

_NUMBERS = re.compile(r"\d+")
_PREVIEW = re.compile(r"\d[-.]?(?:a|b|rc|alpha|beta|pre|dev|m|next|canary)\.?\d*|-[0-9a-z]", re.IGNORECASE)
_DIGITS_MAX = 18


def sort_key(version: str) -> tuple[bool, tuple[int, ...], str]:
    """Return what orders versions: previews before releases, then the numbers, then the text."""
    release = re.split(r"[-+]", version, maxsplit=1)[0]
    return not _PREVIEW.search(version), tuple(_numbers(release)), version


def newest(versions: Collection[str]) -> str:
    """Return the highest of at least one version; a preview only where there is no release."""
    return max(versions, key=sort_key)


def fitting(spec: str, versions: Collection[str]) -> str:
    """Return the highest version that agrees with the leading number of a spec (two for 0.x), else the highest."""
    wanted = _numbers(spec)
    length = 2 if wanted[:1] == [0] else 1
    agreeing = [version for version in versions if wanted and _numbers(version)[:length] == wanted[:length]]
    return newest(agreeing or versions)


def _numbers(text: str) -> list[int]:
    return [int(number[:_DIGITS_MAX]) for number in _NUMBERS.findall(text[:200])]
