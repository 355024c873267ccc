"""`flocklore results summary` and `savings` on the results of an instance."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.cli.results import results as command
from instance.cli.results_summary import PARTS
from instance.learning.labels.summary import By
from instance.store import results, routing
from instance.store.results import JobResult, Status
from instance.store.routing import Record
from instance.sync.results import say_results
from shared.database import transaction
from shared.errors import Exit
from tests.support.commands import alone, documented, invoked, of_ann

PRICES = """
source = "somebody"
checked = 2026-01-01
[[price]]
models = ["opus"]
input = 200
output = 1000
"""


@pytest.fixture(autouse=True)
def _alone(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with alone(database_url, tmp_path, monkeypatch):
        yield


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with of_ann(database_url) as engine:
        yield engine


async def record(engine: AsyncEngine, model: str | None, cents: int | None, **fields: Any) -> None:
    """Ten jobs on each of the last ten days, of which eight a day succeed."""
    now = datetime.now(UTC)
    done = [
        JobResult(
            job_type="fix",
            model_used=model,
            cost_cents=None if cents is None else Decimal(cents),
            status=_status(place),
            completed_at=now - timedelta(days=day, hours=1),
            duration_ms=1000 * place,
            **{"input_tokens": 10} | fields,
        )
        for day in range(10)
        for place in range(10)
    ]
    async with transaction(engine) as connection:
        await results.record_many(connection, done)


def _status(place: int) -> Status:
    return "failed" if place < 2 else "success"


async def test_a_summary_has_intervals(engine: AsyncEngine) -> None:
    await record(engine, "opus", 10)
    await record(engine, None, None, context={"language": "go"})
    opus, rest = sorted(await documented(command, "summary"), key=lambda row: row["cost_cents"], reverse=True)
    assert (opus["key"], opus["results"], opus["labelled"], opus["succeeded"]) == (
        {"type": "fix", "model": "opus"}, 100, 100, 80,
    )  # fmt: skip
    assert (opus["cost_cents"], opus["tokens"]) == (1000.0, 1000)
    assert opus["success"] == pytest.approx({"low": 0.7112, "expected": 0.8, "high": 0.8666}, abs=1e-4)
    assert opus["cents_per_success"]["expected"] == pytest.approx(12.5)
    assert opus["seconds_p50"]["expected"] == 4.0
    assert rest["cents_per_result"] == {"reason": "no cost is known"}
    shown = (await invoked(command, "summary", "--by", "type,context", "--type", "fix")).stdout
    assert "80 % (71 % to 87 %)" in shown
    assert "no cents each of fix by language=go: no cost is known" in shown


async def test_a_summary_may_be_of_some_days(engine: AsyncEngine) -> None:
    await record(engine, "opus", 10)
    (row,) = await documented(command, "summary", "--since", "3")
    assert row["results"] == 30
    assert row["cents_per_result"] == {
        "reason": "3 days with results are too few to tell how days differ; 7 are needed"
    }
    assert (await invoked(command, "summary", "--by", "colour")).exit_code == Exit.USAGE


async def test_savings_say_what_and_how(engine: AsyncEngine) -> None:
    assert "nothing to compare" in (await invoked(command, "savings")).stdout
    await record(engine, "opus", 10)
    await record(engine, "haiku", 1)
    haiku, opus = await documented(command, "savings")
    assert (haiku["plan"], haiku["method"], haiku["jobs"], haiku["days"]) == (["haiku"], "direct", 200, 10)
    assert haiku["saved_cents"]["expected"] == pytest.approx(4.5)
    assert opus["saved_cents"]["high"] < 0
    assert "direct" in (await invoked(command, "savings", "--type", "fix")).stdout
    assert (await documented(command, "savings", "--since", "2"))[0]["saved_cents"]["reason"].startswith("only 2 days")
    shown = (await invoked(command, "savings", "--since", "2")).stdout
    assert "no saving of fix by haiku, fix by opus: only 2 days" in shown


async def test_choices_with_a_known_likelihood_are_weighed(engine: AsyncEngine) -> None:
    for model, cents in (("opus", 10), ("haiku", 1)):
        advised = Record(
            job_type="fix", context={}, verifier=None, plan=[model], propensity=0.5, seed=1, reason="drawn",
            constraints={}, chosen_by="test",
        )  # fmt: skip
        async with transaction(engine) as connection:
            number, _ = await routing.record(connection, advised)
        await record(engine, model, cents, context={"route": str(number)})
    assert [row["method"] for row in await documented(command, "savings")] == ["doubly robust"] * 2


async def test_other_prices_change_what_is_shown_and_nothing_that_is_recorded(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    for model in ("opus", "haiku"):
        await record(engine, model, 10, input_tokens=100_000, output_tokens=0)
    await record(engine, "opus", 7)
    table = tmp_path / "prices.toml"
    table.write_text(PRICES, encoding="utf-8")
    await say_results(engine)
    before = await raw(engine)
    recorded = {row["key"]["model"]: row["cost_cents"] for row in await documented(command, "summary")}
    shown = await documented(command, "summary", "--prices", str(table))
    assert recorded == {"opus": 1700.0, "haiku": 1000.0}
    assert {row["key"]["model"]: row["cost_cents"] for row in shown} == {"opus": 2700.0, "haiku": 1000.0}, (
        "by the list; what it does not know, or nobody counted the tokens of, as it was recorded"
    )
    saved = await documented(command, "savings", "--prices", str(table))
    assert {(*row["plan"],): row["saved_cents"]["expected"] for row in saved}["haiku",] == pytest.approx(
        (2700 + 1000) / 300 - 10
    )
    assert await raw(engine) == before
    wrong = await invoked(command, "summary", "--prices", str(tmp_path / "missing.toml"))
    assert wrong.exit_code != Exit.OK


async def raw(engine: AsyncEngine) -> list[str]:
    """Every byte of the results and of their sums."""
    tables = ("job_results", "result_states", "job_result_labels")
    async with engine.connect() as connection:
        return [
            (await connection.execute(text(f"SELECT string_agg(t::text, chr(10) ORDER BY t::text) FROM {table} t")))  # noqa: S608 - constants
            .scalar() or ""
            for table in tables
        ]  # fmt: skip


def test_names_said_twice_agree() -> None:
    assert get_args(By) == PARTS
