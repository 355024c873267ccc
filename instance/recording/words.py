"""Names as they may be kept, whoever gave them: of one line, short, and of letters there are."""

from __future__ import annotations

from typing import Final

CHARACTERS_MAX: Final = 200


def clean(text: str | None) -> str:
    """A name without what cannot be shown or stored."""
    short = (text or "")[:CHARACTERS_MAX]
    return short if short.isprintable() else "".join(letter for letter in short if letter.isprintable())


def named(**words: str | None) -> dict[str, str]:
    """A context of those words that are known."""
    return {name: kept for name, word in words.items() if (kept := clean(word))}
