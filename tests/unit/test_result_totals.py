"""From what instances say of results to rows, and from jobs of the queue to results."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec import Raw, structs

from centralcloud.ingest.arrivals import Lineage
from centralcloud.ingest.effects import Effects
from instance.store.outbox import event_identity
from instance.store.result_jobs import from_job
from instance.store.results import Usage
from schemas.codec import encode
from schemas.events import ResultsLearned
from schemas.results import ResultSums, Sketch
from shared.errors import UsageError
from shared.jobs.listing import JobRow
from shared.results import flaw, merge
from shared.sketch import quantile, sketch

LINEAGE = Lineage("default", "one", "0" * 32)
START = datetime(2026, 3, 14, tzinfo=UTC)
SUMS = ResultSums(results=3, succeeded=1, failed=1, priced=2, cost_microcents=300, cost=sketch([100, 200]))


def effects_of(*, void: bool = False, **changes: Any) -> Effects:
    event = ResultsLearned(
        **event_identity(), day=date(2026, 3, 14), job_type="tests", model="m", context={"size": "s"}, version=2,
        sums=structs.replace(SUMS, **changes),
    )  # fmt: skip
    effects = Effects()
    effects.add(Raw(encode(event)), LINEAGE, 7, void=void)
    return effects


def test_sums_become_a_row_of_who_the_subject_names() -> None:
    (row,) = effects_of().results
    assert (row.tenant, row.instance, row.version, row.seq, row.job_type) == ("default", "one", 2, 7, "tests")
    assert (row.results, row.cost_microcents, row.cost) == (3, 300, SUMS.cost)


def test_a_void_epoch_changes_no_sums() -> None:
    assert effects_of(void=True) == Effects()


@pytest.mark.parametrize(
    "changes",
    [
        {"succeeded": 3}, {"priced": 4, "cost": Sketch()}, {"metered": 4}, {"timed": 4}, {"priced": 1},
        {"cost": Sketch(buckets=((2, 1), (1, 1)))},
    ],
)  # fmt: skip
def test_sums_that_contradict_themselves_are_set_aside(changes: dict[str, Any]) -> None:
    effects = effects_of(**changes)
    assert effects.results == []
    assert [letter.seq for letter in effects.letters] == [7]


def test_a_client_may_leave_sketches_out() -> None:
    assert flaw(structs.replace(SUMS, cost=Sketch())) is None


def test_sums_of_several_are_added_field_by_field() -> None:
    both = merge([SUMS, SUMS])
    assert (both.results, both.succeeded, both.cost_microcents, both.unlabelled) == (6, 2, 600, 2)
    assert quantile(both.cost, 1.0) == pytest.approx(200, rel=0.01)
    assert merge([]) == ResultSums(results=0)


def job(**changes: Any) -> JobRow:
    done = JobRow(
        id=7, state="completed", queue="default", kind="mine", args={}, errors=[], attempt=2, attempts_max=20,
        priority=0, tags=[], meta={}, tenant="default", inserted_at=START, scheduled_at=START, attempted_at=START,
        finished_at=START + timedelta(seconds=1.5), worker="w1", unique_key=None, idempotency_key=None, result=None,
    )  # fmt: skip
    return replace(done, **changes)


def test_a_job_of_the_queue_becomes_a_result() -> None:
    result = from_job(job(), usage=Usage(cost_cents=Decimal("0.25"), model_used="m"), context={"size": "s"})
    assert (result.job_id, result.external_id, result.source, result.instance_id) == ("7", "7.2", "jobs", "w1")
    assert (result.status, result.duration_ms, result.cost_cents) == ("success", 1500, Decimal("0.25"))
    assert from_job(job(), completed_as="unlabelled").status == "unlabelled"
    assert from_job(job(state="cancelled", attempted_at=None)).duration_ms is None
    with pytest.raises(UsageError, match="once it is finished"):
        from_job(job(state="executing", finished_at=None))


@pytest.mark.parametrize(("kind", "status"), [("ValueError", "failed"), ("TimeoutError", "timeout")])
def test_a_discarded_job_tells_its_last_error(kind: str, status: str) -> None:
    errors = [{"attempt": 1, "type": "OSError", "error": "first"}, {"attempt": 2, "type": kind, "error": "last"}]
    result = from_job(job(state="discarded", errors=errors))
    assert (result.status, result.error) == (status, "last")
