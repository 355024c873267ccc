"""Advice from one's own results: exact, recorded, switched off, and on the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.cli.route import route
from instance.config import InstanceSettings
from instance.learning.routing.worlds import EXPLORATION
from instance.routing import constraints_of, plan_of, task_of
from instance.store.results import JobResult
from schemas.routing_advice import Advice
from shared.errors import Exit, UsageError
from tests.support.commands import alone, invoked, of_ann
from tests.support.patterns import scalar
from tests.support.routed import advice, label, made, record


@pytest.fixture(autouse=True)
def _alone(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with alone(database_url, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        yield


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with of_ann(database_url) as engine:
        yield engine


async def routed(*arguments: str) -> Any:
    done = await invoked(route, *arguments, "--json")
    assert done.exit_code == Exit.OK, done.output
    return json.loads(done.stdout)


def success(found: Advice) -> float:
    """Return what is expected of the small model, chosen or not."""
    assert found.expected is not None
    [small] = [one for one in (found.expected, *found.alternatives) if one.plan == ("small",)]
    return small.success.expected


async def test_one_failed_result_moves_what_is_expected_and_its_correction_restores_it(engine: AsyncEngine) -> None:
    await record(engine, made("small", 8, 2) + made("large", 9, 1))
    new = JobResult(job_type="fix", model_used="small", source="test", external_id="1")
    await record(engine, [new])
    before = await advice(engine)
    await label(engine, "failed", "1")
    moved = await advice(engine)
    assert success(moved) < success(before)
    await label(engine, "unlabelled", "1")
    restored = await advice(engine)
    assert restored.expected == before.expected
    assert restored.alternatives == before.alternatives
    assert success(restored) == success(before)
    await label(engine, "success", "1")
    assert success(await advice(engine)) > success(before)


async def test_results_of_the_same_context_count_most(engine: AsyncEngine) -> None:
    await record(engine, made("small", 30, 2, language="python") + made("small", 2, 30, language="rust"))
    await record(engine, made("large", 30, 2, language="python") + made("large", 30, 2, language="rust"))
    assert (await advice(engine, context={"language": "python"})).plan == ("small",)
    assert (await advice(engine, context={"language": "rust"})).plan == ("large",)


async def test_with_a_verifier_a_cheaper_model_may_be_tried_first(engine: AsyncEngine) -> None:
    await record(engine, made("small", 30, 20) + made("large", 48, 2))
    assert (await advice(engine, success_min=0.8)).plan == ("large",)
    await record(engine, [JobResult(job_type="verifier.tests", model_used="small", status="success")] * 60)
    assert (await advice(engine, success_min=0.8, verifier="tests")).plan == ("small", "large")


async def test_an_attempt_after_a_rejection_is_no_first_attempt(engine: AsyncEngine) -> None:
    await record(engine, made("small", 16, 4) + made("large", 19, 1))
    before = await advice(engine)
    await record(engine, made("large", 1, 19, after="small"))
    now = await advice(engine)
    for found in (before, now):
        assert [one.plan for one in found.alternatives] == [("large",)]
    assert now.alternatives[0].success.expected == before.alternatives[0].success.expected


async def test_the_kill_switch_and_the_users_own_choice_come_first(engine: AsyncEngine) -> None:
    await record(engine, made("small", 36, 4) + made("large", 19, 1))
    off = await advice(engine, routing=False, incumbent="large")
    assert (off.plan, off.propensity, off.seed, off.expected) == (("large",), 1.0, None, None)
    assert (await advice(engine, routing_pinned="large, small")).plan == ("large", "small")
    assert (await advice(engine, routing_pinned="large", pinned="small")).plan == ("small",)
    assert (await advice(engine, routing_forbidden="small")).plan == ("large",)
    assert (await advice(engine, forbidden=["small"], exploration=1.0)).plan == ("large",)


async def test_of_the_models_that_alone_may_be_chosen_one_nobody_has_tried_may_be_tried(engine: AsyncEngine) -> None:
    await record(engine, made("small", 12, 8) + made("large", 15, 5))
    asked = {"routing_only": "small,untried", "success_min": 0.6, "exploration": 0.9}
    found = [await advice(engine, seed=seed, **asked) for seed in range(8)]
    assert {one.plan for one in found} == {("small",), ("untried",)}
    assert ("untried",) not in {
        (await advice(engine, seed=seed, success_min=0.6, exploration=0.9)).plan for seed in range(8)
    }


async def test_every_choice_is_written_down_with_its_propensity(engine: AsyncEngine) -> None:
    await record(engine, made("small", 12, 8) + made("large", 15, 5))
    found = [await advice(engine, seed=seed, exploration=0.8, success_min=0.55) for seed in range(12)]
    assert len({one.plan for one in found}) > 1, "some were explored"
    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT * FROM routing_records ORDER BY id"))).all()
    assert [(row.id, tuple(row.plan), row.propensity, row.seed, row.at) for row in rows] == [
        (one.id, one.plan, one.propensity, one.seed, one.at) for one in found
    ]
    assert all(0 < one.propensity <= 1 for one in found)
    assert (rows[0].constraints["exploration"], rows[0].chosen_by) == (0.8, "test")


async def test_old_records_are_forgotten(engine: AsyncEngine) -> None:
    await record(engine, made("small", 12, 8))
    await advice(engine)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE routing_records SET at = at - interval '401 days'"))
    await advice(engine)
    assert await scalar(engine, "SELECT count(*) FROM routing_records") == 1


async def test_the_command_answers_with_everything_a_program_needs(engine: AsyncEngine) -> None:
    await record(engine, made("small", 36, 4, language="python") + made("large", 19, 1, language="python"))
    asked = ("fix", "--context", "language=python", "--success-min", "0.7", "--explore", "0", "--incumbent", "large")
    found = await routed(*asked)
    assert found["plan"] == ["small"]
    assert found["reason"].startswith("the cheapest of")
    assert found["propensity"] == 1.0
    for part in ("success", "cost_cents", "latency_ms"):
        assert found["expected"][part]["low"] < found["expected"][part]["expected"] < found["expected"][part]["high"]
    assert found["against_incumbent"]["saved_cents"]["expected"] == pytest.approx(19, rel=0.1)
    assert [one["plan"] for one in found["alternatives"]] == [["large"]]
    assert found["id"] == await scalar(engine, "SELECT max(id) FROM routing_records")
    assert (await routed("fix", "--latency-max", "0.001", "--incumbent", "large"))["plan"] == ["large"]
    shown = await invoked(route, *asked)
    assert "plan       small" in shown.output
    assert "saves" in shown.output


async def test_the_command_heeds_the_settings(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    await record(engine, made("small", 36, 4) + made("large", 19, 1))
    monkeypatch.setenv("FLOCKLORE_ROUTING_FORBIDDEN", "small")
    assert (await routed("fix"))["plan"] == ["large"]
    monkeypatch.setenv("FLOCKLORE_ROUTING", "false")
    assert (await routed("fix", "--incumbent", "small"))["reason"] == "routing is switched off: the incumbent"


def test_what_is_no_task_or_no_plan_is_refused() -> None:
    with pytest.raises(UsageError, match="what does: task, language"):
        task_of("fix", {"langauge": "python"}, None)
    for models in ("a,b,a", "a,b,c,d"):
        with pytest.raises(UsageError, match="no plan"):
            plan_of(models)
    with pytest.raises(UsageError, match="pinned and forbidden"):
        constraints_of(InstanceSettings(routing_pinned="small"), forbidden=["small"])
    assert constraints_of(InstanceSettings()).exploration == EXPLORATION
