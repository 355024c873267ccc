"""What instances say: the current state of one thing, never a difference, so repeating it changes nothing.

A new field has a default; a breaking change is a new type with a new `.vN`, both published for one release.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from schemas.names import Count, EventId, Fingerprint, RepositoryKey, Share, Text, Timestamp
from schemas.results import CONTEXT_WORDS_MAX, ResultSums, Word
from schemas.subjects import Topic

Version = Annotated[int, Meta(ge=1, le=2**53 - 1, description="grows by one with every change of this observation")]


class Event(Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every event has."""

    topic: ClassVar[Topic]

    id: EventId
    time: Timestamp


class Learned(Event, frozen=True, kw_only=True):
    """What an instance currently knows of one pattern in one repository."""

    fingerprint: Fingerprint
    repository: RepositoryKey
    version: Version
    files: Count
    occurrences: Count


class CodePatternLearned(Learned, frozen=True, kw_only=True, tag="code.pattern.learned.v1"):
    """A recurring shape of code."""

    topic: ClassVar[Topic] = Topic("code", "pattern")

    language: Text
    view: Text
    """How the shape was cut out of the code: `statement`, `header`, `body`, `outline`, `nested`, `call`, `pair`,
    `sequence`."""
    tokens: Count = 0
    template: Text | None = None
    """The shape itself; absent until every name kept in it is known to be public."""
    bits: Annotated[float, Meta(ge=0.0)] = 0.0
    """What the shape tells, to one decimal; 0 when its sender does not say."""


class ArchitecturePatternLearned(Learned, frozen=True, kw_only=True, tag="architecture.pattern.learned.v1"):
    """A recurring decision about how a codebase is laid out; `name` comes from a public list."""

    topic: ClassVar[Topic] = Topic("architecture", "pattern")

    name: Text
    confidence: Share = 1.0
    language: Text = ""
    """Of what it tells; empty for what concerns the whole repository."""
    measures: dict[Text, float] = {}
    """Numbers behind it, rounded so that small changes of the code leave them as they are."""


class DataSchemaLearned(Learned, frozen=True, kw_only=True, tag="data.schema.learned.v1"):
    """The shape of one table of a database schema; names are digests."""

    topic: ClassVar[Topic] = Topic("data", "schema")

    columns: Count
    keys: Count
    indexes: Count
    shape: Text = ""
    """Its columns as types and keys, without a name; what the fingerprint was made of."""
    table: Text | None = None
    """What it is called; absent unless the owner shares names."""


class LanguageLearned(Learned, frozen=True, kw_only=True, tag="technology.language.learned.v1"):
    """A language of the repository; `files` are all its files of that language, what shares are measured against."""

    topic: ClassVar[Topic] = Topic("technology", "language")

    name: Text


class FrameworkLearned(Learned, frozen=True, kw_only=True, tag="technology.framework.learned.v1"):
    """A framework or tool the repository uses, from a public list; `files` import it."""

    topic: ClassVar[Topic] = Topic("technology", "framework")

    name: Text
    confidence: Share
    category: Text = ""
    release: Text | None = None
    """The one locked or else the range asked for; `version` is that of the observation."""


class DependencyLearned(Learned, frozen=True, kw_only=True, tag="technology.dependency.learned.v1"):
    """A package the repository depends on; the fingerprint is made of its purl without the version."""

    topic: ClassVar[Topic] = Topic("technology", "dependency")

    ecosystem: Text
    scope: Text
    name: Text | None = None
    """Absent until the package is known to be public."""
    release: Text | None = None
    """The one locked or else the range asked for; absent with the name."""


class PatternForgotten(Event, frozen=True, kw_only=True, tag="pattern.forgotten.v1"):
    """A tombstone, sent on the topic of the pattern: it is no longer in that repository."""

    fingerprint: Fingerprint
    repository: RepositoryKey
    version: Version


class InsightFeedback(Event, frozen=True, kw_only=True, tag="insight.feedback.v1"):
    """What the owner of an instance thinks of an insight; it is never evidence for it."""

    topic: ClassVar[Topic] = Topic("insight", "feedback")

    insight: Fingerprint
    version: Version
    verdict: Literal["accepted", "rejected", "withdrawn"]
    reason: Literal["", "not_applicable", "disagree", "wrong", "already_done", "too_costly"] = ""


class ResultsLearned(Event, frozen=True, kw_only=True, tag="job.result.learned.v1"):
    """How jobs of one kind ended on one day in one context with one model, all of them together."""

    topic: ClassVar[Topic] = Topic("job", "result")

    day: date
    """In UTC, on which they ended."""
    job_type: Word
    model: Word
    context: Annotated[dict[Word, Word], Meta(max_length=CONTEXT_WORDS_MAX)] = {}
    """What kind of task it was: `task`, `language`, `size`, `complexity`."""
    version: Version
    sums: ResultSums


class StatisticsReported(Event, frozen=True, kw_only=True, tag="instance.statistics.v1"):
    """What an instance has studied so far."""

    topic: ClassVar[Topic] = Topic("instance", "statistics")

    version: Version
    repositories: Count
    files: Count
    bytes: Count
    patterns: Count
    languages: dict[Text, Count] = {}
    """Files per language."""
    insights_applied: Count = 0


class SnapshotCompleted(Event, frozen=True, kw_only=True, tag="instance.snapshot.completed.v1"):
    """Everything the instance knows was said again in this epoch; what it said in older epochs is void."""

    topic: ClassVar[Topic] = Topic("instance", "statistics")

    observations: Count


AnyEvent = (
    CodePatternLearned
    | ArchitecturePatternLearned
    | DataSchemaLearned
    | LanguageLearned
    | FrameworkLearned
    | DependencyLearned
    | PatternForgotten
    | InsightFeedback
    | ResultsLearned
    | StatisticsReported
    | SnapshotCompleted
)
