"""What results are summed up by, in words that may leave the machine.

A word looks like a name: short, no space, no deep path. Whatever else stands where a name was expected, a prompt, a
command, the path of a file, stays here and is summed up as `other`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

from instance.analysis.secrets import find_secrets
from instance.learning.routing.task import AFTER

UNKNOWN: Final = "unknown"
OTHER: Final = "other"
SHARED_CONTEXT: Final = ("complexity", "language", "size", "task")
"""What else somebody may have written into a context stays here, but for the model that was rejected before."""

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,62}(?:/[A-Za-z0-9._:@+-]{1,62}){0,2}")
_WORD_CHARACTERS_MAX: Final = 96
_PRIVATE: Final = re.compile(r"arn:|ft:|[^/]*@[^/]*\.[a-z]", re.IGNORECASE)
"""Models named after an account or an organisation, and addresses of people."""


class Key(NamedTuple):
    """What results must have in common to be summed up together."""

    day: date
    job_type: str
    model: str
    context: tuple[tuple[str, str], ...]


def key_of(day: date, job_type: str, model: str | None, context: Mapping[str, object]) -> Key:
    """Tell what a result is summed up by."""
    shared = tuple(
        (name, word(str(context[name]))) for name in (AFTER, *SHARED_CONTEXT) if context.get(name) is not None
    )
    return Key(day, word(job_type), word(model), shared)


def other_of(day: date) -> Key:
    """What results of a day are summed up by when there are too many kinds of them."""
    return Key(day, OTHER, OTHER, ())


def word(text: str | None) -> str:
    """Return a text if it looks like a name and holds no secret, else `other`; `unknown` without any."""
    text = (text or "").strip()
    if not text:
        return UNKNOWN
    named = len(text) <= _WORD_CHARACTERS_MAX and _WORD.fullmatch(text) is not None
    return text if named and not _PRIVATE.match(text) and not find_secrets(text) else OTHER
