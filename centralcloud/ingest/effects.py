"""From accepted events to the rows they change. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from msgspec import Raw, structs

from centralcloud.ingest.arrivals import DeadLetter, Lineage
from centralcloud.store.feedback import FeedbackRow
from centralcloud.store.intake import ObservationRow, StatisticsRow
from centralcloud.store.results import ResultRow
from schemas.codec import InvalidMessageError, decode_event
from schemas.events import (
    AnyEvent,
    ArchitecturePatternLearned,
    CodePatternLearned,
    DataSchemaLearned,
    DependencyLearned,
    FrameworkLearned,
    InsightFeedback,
    LanguageLearned,
    Learned,
    PatternForgotten,
    ResultsLearned,
    SnapshotCompleted,
    StatisticsReported,
)
from schemas.fingerprint import fingerprint
from shared import results


@dataclass
class Effects:
    """What a batch of events does to the tables; `log` are rows of the envelopes received."""

    log: list[dict[str, Any]] = field(default_factory=list)
    observations: list[ObservationRow] = field(default_factory=list)
    feedback: list[FeedbackRow] = field(default_factory=list)
    results: list[ResultRow] = field(default_factory=list)
    statistics: list[StatisticsRow] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    snapshots: dict[Lineage, int] = field(default_factory=dict)

    def add(self, raw: Raw, lineage: Lineage, seq: int, *, void: bool) -> None:
        """Sort one event in; what cannot be decoded becomes a dead letter and still counts as received."""
        try:
            event = decode_event(raw)
        except InvalidMessageError as error:
            self.reject(raw, lineage, seq, str(error))
        else:
            if reason := flaw(event):
                self.reject(raw, lineage, seq, reason)
            else:
                self._sort(event, lineage, seq, void=void)

    def reject(self, raw: Raw, lineage: Lineage, seq: int, reason: str) -> None:
        """Set one event aside."""
        self.letters.append(DeadLetter("", bytes(raw), reason, lineage, seq))

    def _sort(self, event: AnyEvent, lineage: Lineage, seq: int, *, void: bool) -> None:
        """Collect what it changes; a void epoch (a later one said everything again) changes no state."""
        match event:
            case SnapshotCompleted():
                self.snapshots[lineage] = seq
            case StatisticsReported():
                self.statistics.append(_statistics(event, lineage))
            case InsightFeedback():
                self.feedback.append(_feedback(event, lineage))
            case ResultsLearned():
                if not void:
                    self.results.append(_results(event, lineage, seq))
            case _ if not void:
                self.observations.append(_observation(event, lineage, seq))


def flaw(event: AnyEvent) -> str | None:
    """What is wrong with an event that can be read; None when nothing is."""
    if isinstance(event, ResultsLearned):
        return results.flaw(event.sums)
    return "the template does not have this fingerprint" if _is_forged(event) else None


def _is_forged(event: AnyEvent) -> bool:
    """Whether a template is not what its fingerprint was made of: nobody may put words into a pattern of others."""
    if not isinstance(event, CodePatternLearned) or event.template is None:
        return False
    return fingerprint(event.language, event.view, event.template).hex() != event.fingerprint


def _is_shape(event: DataSchemaLearned) -> bool:
    return fingerprint("any", ".".join(event.topic), event.shape).hex() == event.fingerprint


def _statistics(event: StatisticsReported, lineage: Lineage) -> StatisticsRow:
    body = {key: value for key, value in structs.asdict(event).items() if key not in ("id", "version")}
    return StatisticsRow(
        tenant=lineage.tenant,
        instance=lineage.instance,
        epoch=lineage.epoch,
        version=event.version,
        body=body,
    )


def _results(event: ResultsLearned, lineage: Lineage, seq: int) -> ResultRow:
    return ResultRow(
        tenant=lineage.tenant,
        instance=lineage.instance,
        day=event.day,
        job_type=event.job_type,
        model=event.model,
        context=event.context,
        epoch=lineage.epoch,
        version=event.version,
        seq=seq,
        event_id=event.id,
        **structs.asdict(event.sums),
    )


def _feedback(event: InsightFeedback, lineage: Lineage) -> FeedbackRow:
    return FeedbackRow(
        tenant=lineage.tenant,
        insight=event.insight,
        instance=lineage.instance,
        verdict=event.verdict,
        reason=event.reason,
        epoch=lineage.epoch,
        version=event.version,
    )


def _observation(event: Learned | PatternForgotten, lineage: Lineage, seq: int) -> ObservationRow:
    return ObservationRow(
        tenant=lineage.tenant,
        instance=lineage.instance,
        epoch=lineage.epoch,
        repository=event.repository,
        fingerprint=event.fingerprint,
        version=event.version,
        seq=seq,
        event_id=event.id,
        **_state(event),
    )


def _state(event: Learned | PatternForgotten) -> dict[str, Any]:
    """What is known of the pattern now; of one that is gone nothing but that."""
    if isinstance(event, PatternForgotten):
        return {"forgotten": True}
    return {"kind": ".".join(event.topic), "files": event.files, "occurrences": event.occurrences, **_own(event)}


def _own(event: Learned) -> dict[str, Any]:
    """What only events of that kind say; packages are measured against the repositories of their ecosystem."""
    match event:
        case CodePatternLearned():
            return {
                "language": event.language,
                "view": event.view,
                "template": event.template,
                "bits": event.bits,
            }
        case DependencyLearned():
            return {"language": event.ecosystem, "name": event.name or "", "release": event.release or ""}
        case FrameworkLearned():
            return {"name": event.name, "release": event.release or ""}
        case DataSchemaLearned():
            name = f"table: {event.columns} columns, {event.keys} keys, {event.indexes} indexes"
            return {"name": name, "template": event.shape if _is_shape(event) else None}
        case ArchitecturePatternLearned():
            return {"language": event.language, "name": event.name}
        case LanguageLearned():
            return {"name": event.name}
    raise TypeError(f"no row is known for {type(event).__name__}")
