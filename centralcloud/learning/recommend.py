"""What the fleet does that one instance does not, by expected use; and why the rest is not for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from schemas.insights import Insight
from schemas.recommendations import NotApplicable, Reason, Recommendation

OPINION_PRIOR: Final = 2.0
"""So many people who said nothing stand behind every insight."""

DECIMALS: Final = 4

ECOSYSTEMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "elixir": "hex",
        "go": "golang",
        "java": "maven",
        "javascript": "npm",
        "python": "pypi",
        "rust": "cargo",
        "tsx": "npm",
        "typescript": "npm",
    }
)
"""Where the libraries of a language come from, as types of package URLs."""

_NAME: Final = re.compile(r"([A-Za-z_]\w*)(?:\.|\Z)")
_MEMBER_OF: Final = frozenset({".", "?.", "::"})


@dataclass(frozen=True)
class Profile:
    """What is known of the instance that asks."""

    files: Mapping[str, int]
    """Files by language."""
    patterns: frozenset[str]
    """Fingerprints of all it has."""
    rejected: frozenset[str]
    """Insights its people rejected."""
    unused: Mapping[str, frozenset[str]]
    """Libraries of the fleet it does not use, by ecosystem; an ecosystem it says nothing of is not here."""


def recommend(insights: Iterable[Insight], profile: Profile, limit: int) -> list[Recommendation]:
    """Rank what applies, the best first; what is no expected use is left out."""
    found = [_recommendation(one, profile) for one in insights if objection(one, profile) is None]
    useful = [one for one in found if one.score > 0]
    return sorted(useful, key=lambda one: (-one.score, one.insight.id))[:limit]


def not_applicable(insights: Iterable[Insight], profile: Profile, limit: int) -> list[NotApplicable]:
    """Say of insights that are not recommended why not, in the order given."""
    objections = ((one.id, objection(one, profile)) for one in insights)
    found = [
        NotApplicable(insight_id=name, reason=against[0], detail=against[1])
        for name, against in objections
        if against is not None
    ]
    return found[:limit]


def objection(insight: Insight, profile: Profile) -> tuple[Reason, str] | None:
    """Say why an insight is not for this instance, and which language or library that is about; None: it is."""
    if insight.id in profile.patterns:
        return "already_there", ""
    if insight.id in profile.rejected:
        return "rejected", ""
    if insight.language and insight.language not in profile.files:
        return "other_language", insight.language
    missing = libraries(insight.template or "") & profile.unused.get(ECOSYSTEMS.get(insight.language, ""), frozenset())
    return ("library_not_used", min(missing)) if missing else None


def libraries(template: str) -> set[str]:
    """Find the names a template uses that belong to nothing before them.

    `json` in `json . loads ( $1 )`, and in `json.load -> json.dump`, a sequence of calls.
    """
    tokens = template.split(" ")
    found = (
        _NAME.match(token) for before, token in zip(["", *tokens], tokens, strict=False) if before not in _MEMBER_OF
    )
    return {name[1] for name in found if name}


def importable(package: str) -> str:
    """Return the name code calls a package by, as far as it follows from the name of the package."""
    return package.rpartition("/")[2].rpartition(":")[2].replace("-", "_")


def _recommendation(insight: Insight, profile: Profile) -> Recommendation:
    expected = insight.rate
    if insight.file_repositories:
        expected = insight.file_rate * profile.files.get(insight.language, 0)
    score = expected * insight.confidence * _approval(insight)
    return Recommendation(insight=insight, expected_files=round(expected, DECIMALS), score=round(score, DECIMALS))


def _approval(insight: Insight) -> float:
    """Share of people who did not reject it, among those who said something and a few who did not."""
    return (insight.accepted + OPINION_PRIOR) / (insight.accepted + insight.rejected + OPINION_PRIOR)
