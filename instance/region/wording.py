"""An insight of the region in the words of its delegate: a finding like those of agents. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from instance.analysis.grammar import grammar
from instance.analysis.languages import LANGUAGES
from instance.learning.vocabulary import LANGUAGE, vocabulary
from instance.store.findings import FindingRow
from instance.store.observations import CODE
from schemas.insights import Insight

_COUNT_MAX: Final = 2**31 - 1
"""The most files and occurrences that a finding counts."""

_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_STRING: Final = re.compile(r"""[bf~A-Za-z]{0,3}(["'])(.*)\1|/S/""", re.DOTALL)
_STRING_HOLE: Final = "S"
_TABLE: Final = re.compile(r"table: (\d+) columns, (\d+) keys, (\d+) indexes")


def finding_of(insight: Insight) -> FindingRow | None:
    """What the region has, as its one voice above says it; None for a kind this release does not know.

    Words nobody told the region are left empty: such a finding is a digest and counts.
    """
    if insight.kind == CODE:
        template = (insight.template or "") if insight.language in LANGUAGES else ""
        return _row(insight, template, {}, names_in(template, insight.language))
    say = _BODIES.get(insight.kind)
    body = say(insight) if say is not None else None
    return None if body is None else _row(insight, insight.name, body)


def names_in(template: str, language: str) -> tuple[tuple[str, str], ...]:
    """Names a template shows, each with where it would be from if it is public; keywords are none.

    A string that not everybody uses counts as a name: who made the template may be of another release, or lie.
    """
    if not template:
        return ()
    known, keywords = vocabulary(language), _keywords(language)
    names: dict[str, None] = {}
    for part in template.split(" "):
        quoted = _STRING.fullmatch(part)
        if quoted is None:
            names |= dict.fromkeys(word for word in _WORD.findall(part) if word not in keywords)
        elif (quoted[2] or _STRING_HOLE) not in {_STRING_HOLE, *known.strings}:
            names[part] = None
    return tuple((name, LANGUAGE if known.is_public(name) else name) for name in names)


def _row(insight: Insight, template: str, body: dict[str, Any], names: tuple[tuple[str, str], ...] = ()) -> FindingRow:
    return FindingRow(
        fingerprint=insight.id,
        kind=insight.kind,
        template=template,
        language=insight.language,
        view=insight.view,
        names=names,
        tokens=len(template.split()),
        files=min(insight.files, _COUNT_MAX),
        occurrences=min(insight.occurrences, _COUNT_MAX),
        body=body,
    )


def _named(insight: Insight) -> dict[str, Any] | None:
    return {"name": insight.name} if insight.name else None


def _architecture(insight: Insight) -> dict[str, Any] | None:
    return {"name": insight.name, "language": insight.language} if insight.name else None


def _framework(insight: Insight) -> dict[str, Any] | None:
    return {"name": insight.name, "confidence": 1.0} | _release(insight) if insight.name else None


def _dependency(insight: Insight) -> dict[str, Any]:
    return {"ecosystem": insight.language, "scope": "", "name": insight.name} | _release(insight)


def _table(insight: Insight) -> dict[str, Any] | None:
    found = _TABLE.fullmatch(insight.name)
    if found is None:
        return None
    columns, keys, indexes = map(int, found.groups())
    return {"columns": columns, "keys": keys, "indexes": indexes, "shape": insight.template or ""}


def _release(insight: Insight) -> dict[str, str]:
    """The version most repositories of the region use."""
    most_used = next(iter(insight.versions), "")
    return {"release": most_used} if most_used else {}


_BODIES: Final[Mapping[str, Callable[[Insight], dict[str, Any] | None]]] = MappingProxyType(
    {
        "architecture.pattern": _architecture,
        "data.schema": _table,
        "technology.dependency": _dependency,
        "technology.framework": _framework,
        "technology.language": _named,
    }
)


@cache
def _keywords(language: str) -> frozenset[str]:
    """Words of the language that nobody can give to anything of his own."""
    return frozenset(mark for mark in grammar(language).marks if _WORD.fullmatch(mark))
