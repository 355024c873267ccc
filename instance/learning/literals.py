"""What a template shows of a literal: its kind, and its value only when everybody uses it."""

from __future__ import annotations

import re

STRING_HOLE = '"S"'
NUMBER_HOLE = "#"
_SHOWN_NUMBERS = frozenset({"0", "1", "2", "100", "1000"})
_SHOWN_STRING_MAX = 20
_PREFIXED = re.compile(r"(~?[A-Za-z]*#*)[\"'`/(\[{|<]")
CHARACTERS = frozenset({"go", "rust", "java"})  # there 'x' is no string


def shown_number(text: str) -> str:
    """Return a number that carries meaning by itself (0, 1, 2, 100, 1000), or the number hole."""
    return text if text in _SHOWN_NUMBERS else NUMBER_HOLE


def shown_string(text: str, language: str, public: frozenset[str]) -> str:
    """Return a string with its prefix and, when it is on the public list, its content; quotes become canonical."""
    match = _PREFIXED.match(text)
    prefix = _prefix(match[1]) if match else ""
    quote = text[len(match[1])] if match else '"'
    if quote == "/":
        return "/S/"
    if quote == "'" and language in CHARACTERS:
        return f"{prefix}'S'"
    content = text[len(match[1]) :].strip("\"'`") if match else ""
    if len(content) <= _SHOWN_STRING_MAX and content in public and "f" not in prefix:
        return f'{prefix}"{content}"'
    return f"{prefix}{STRING_HOLE}"


def _prefix(prefix: str) -> str:
    """Keep what changes the type (bytes, f-string, sigil), drop what only changes the spelling (raw, unicode)."""
    if prefix.startswith("~"):
        return prefix
    return "".join(letter for letter in prefix.lower() if letter in "bf")
