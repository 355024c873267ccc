"""Secrets in text: patterns precise enough that a hit may stop a template from leaving the machine."""

from __future__ import annotations

import math
import re
from collections import Counter
from types import MappingProxyType

_PATTERNS = MappingProxyType(
    {
        "aws_access_key": re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
        "private_key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
        "github_token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})"),
        "gitlab_token": re.compile(r"\bgl(?:pat|dt|rt|ptt|cbt|soat)-[A-Za-z0-9_-]{20,}"),
        "slack_token": re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"),
        "slack_webhook": re.compile(r"hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{20,}"),
        "npm_token": re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),
        "pypi_token": re.compile(r"\bpypi-AgE[A-Za-z0-9_-]{50,}"),
        "google_api_key": re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b"),
        "stripe_key": re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{20,}"),
        "openai_key": re.compile(r"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,}"),
        "nats_seed": re.compile(r"\bS[UAOCNX][A-Z2-7]{56}\b"),
        "jwt": re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
        "url_password": re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>{}$]*:[^\s/@\"'<>{}$]{3,}@[^\s/\"']"),
    }
)
_LONG_LITERAL = re.compile(r"(?<![A-Za-z0-9+])[A-Za-z0-9+]{32,}(?![A-Za-z0-9+])")
_ENTROPY_BITS_MIN = 4.2  # per character: English identifiers stay below 4, random base64 of this length above 4.3
_HEX_ENTROPY_BITS_MIN = 3.4
_HEX = re.compile(r"[0-9a-fA-F]+")


def find_secrets(text: str) -> list[str]:
    """Return the kinds of secrets a text seems to hold, sorted; empty when it holds none."""
    kinds = {kind for kind, pattern in _PATTERNS.items() if pattern.search(text)}
    if any(_is_random(match[0]) for match in _LONG_LITERAL.finditer(text)):
        kinds.add("high_entropy")
    return sorted(kinds)


def _is_random(literal: str) -> bool:
    """Tell whether a long literal looks drawn at random: letters and digits mixed, and few repetitions."""
    if not (any(letter.isdigit() for letter in literal) and any(letter.isalpha() for letter in literal)):
        return False
    limit = _HEX_ENTROPY_BITS_MIN if _HEX.fullmatch(literal) else _ENTROPY_BITS_MIN
    return _entropy_bits(literal) >= limit


def _entropy_bits(literal: str) -> float:
    total = len(literal)
    return -sum(count / total * math.log2(count / total) for count in Counter(literal).values())
