"""Rewrites a program the way formatters do: other spaces, lines, comments, trailing commas, and nothing else."""

from __future__ import annotations

import random
import re

_STRING = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`""")
_COMMENTS = {"python": "# why", "elixir": "# why"}
_TRAILING_COMMAS = frozenset({"python", "javascript", "typescript", "tsx", "go", "rust"})
_BREAKS_AFTER = {"python": "([", "go": "(,{", "elixir": "([,"}
_BREAKS_AFTER_ANY = "(,{;["


def reformatted(source: str, language: str, chance: random.Random) -> str:
    """Return the same program, laid out by chance."""
    pieces: list[str] = []
    at = 0
    for match in _STRING.finditer(source):
        pieces += [_code(source[at : match.start()], language, chance), match[0]]
        at = match.end()
    pieces.append(_code(source[at:], language, chance))
    return _commas("".join(pieces), language, chance)


def _code(text: str, language: str, chance: random.Random) -> str:
    breaks = _BREAKS_AFTER.get(language, _BREAKS_AFTER_ANY)
    spaces = ["", " ", "  "]
    lines = ["\n", f"\n\n    {_COMMENTS.get(language, '// why')}\n  "]
    return "".join(
        mark + chance.choice(spaces + lines if mark in breaks else spaces) if mark in "([,{;" else mark for mark in text
    )


def _commas(source: str, language: str, chance: random.Random) -> str:
    """Add commas after the last argument of calls that span a line."""
    if language not in _TRAILING_COMMAS:
        return source
    return re.sub(r"(?<=[\w\])])\)(?=[;\n])", lambda match: chance.choice([",\n)", match[0]]), source)
