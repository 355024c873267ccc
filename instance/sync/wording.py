"""The words of an event: what a pattern's kind says of it, as far as it may leave the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from instance.learning.information import bits
from instance.store.observations import CODE, Known, Said
from instance.store.outbox import event_identity
from schemas.events import (
    AnyEvent,
    ArchitecturePatternLearned,
    CodePatternLearned,
    DataSchemaLearned,
    DependencyLearned,
    FrameworkLearned,
    LanguageLearned,
    PatternForgotten,
)
from schemas.subjects import Topic

_EVENTS: Final[Mapping[str, Callable[..., AnyEvent]]] = MappingProxyType(
    {
        "architecture.pattern": ArchitecturePatternLearned,
        "data.schema": DataSchemaLearned,
        "technology.dependency": DependencyLearned,
        "technology.framework": FrameworkLearned,
        "technology.language": LanguageLearned,
    }
)
_PRIVATE: Final = MappingProxyType({"technology.dependency": ("name", "release"), "data.schema": ("table",)})
"""Fields that leave only when the gate lets the words of a pattern out."""


def event_of(pattern: Known, said: Said, repository_key: str) -> AnyEvent:
    """Say a pattern in the version of `said`."""
    common = event_identity() | {
        "fingerprint": said.fingerprint,
        "repository": repository_key,
        "version": said.version,
        "files": said.files,
        "occurrences": said.occurrences,
    }
    if pattern.kind == CODE:
        return CodePatternLearned(
            **common,
            language=pattern.language,
            view=pattern.view,
            tokens=pattern.tokens,
            template=pattern.template if said.shared_template else None,
            bits=round(bits(pattern.template, pattern.names), 1),
        )
    return _EVENTS[pattern.kind](**common, **_fields(pattern, words=said.shared_template))


def tombstone_of(said: Said, repository_key: str) -> PatternForgotten:
    """Say that a pattern is no more."""
    return PatternForgotten(
        **event_identity(), fingerprint=said.fingerprint, repository=repository_key, version=said.version
    )


def topic_of_kind(kind: str) -> Topic:
    """`code.pattern` is domain `code`, kind `pattern`."""
    domain, _, name = kind.partition(".")
    return Topic(domain, name)


def _fields(pattern: Known, *, words: bool) -> dict[str, Any]:
    """Return the body of a finding without what must stay here; what earlier releases stored has none."""
    body = pattern.body or {"name": pattern.template}
    private = () if words else _PRIVATE.get(pattern.kind, ())
    return {key: value for key, value in body.items() if key not in private}
