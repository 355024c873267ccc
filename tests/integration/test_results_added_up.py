"""Results added up by the database in one look are what they are added up one by one: by kind, by day, together."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Final

import pytest
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.store import registry, result_totals, results
from centralcloud.store.result_totals import COUNTS, Day, Total, Wanted
from centralcloud.store.results import ResultRow
from schemas.names import COUNT_MAX
from shared.database import transaction
from tests.support.databases import central_engine
from tests.support.known import register
from tests.support.observed import digest

ROWS: Final = 600
SAMPLES: Final = 40
ASKED_OFTEN: Final = 20
FIRST: Final = date(2026, 3, 1)
DAYS: Final = [FIRST + timedelta(days=number) for number in range(5)]
KINDS: Final = ("", "fix", "doc", "Zeta", "\u00e4rger")
MODELS: Final = ("small", "large", "")
INSTANCES: Final = tuple(f"i{number}" for number in range(7))
SET_ASIDE: Final = {"ours": "i3", "theirs": "i1"}
EVERYTHING: Final = Wanted(tenant="ours", first=DAYS[0], last=DAYS[-1])


def row(chance: random.Random) -> ResultRow:
    """Sums somebody told, now and then larger than can be."""
    most = COUNT_MAX if chance.random() < 0.01 else chance.choice((3, 1_000, 10**9))
    counts: dict[str, Any] = {
        name: chance.randrange(most + 1) for name in COUNTS if name not in ("results", "succeeded", "failed")
    }
    return ResultRow(
        tenant=chance.choice(("ours", "ours", "ours", "theirs")), instance=chance.choice(INSTANCES),
        day=chance.choice(DAYS), job_type=chance.choice(KINDS), model=chance.choice(MODELS),
        context={"size": chance.choice("abc")}, epoch="0" * 32, version=1, seq=1, event_id=digest("e"), results=most,
        succeeded=chance.randrange(most // 2 + 1), failed=chance.randrange(most // 2 + 1), **counts,
    )  # fmt: skip


@pytest.fixture
async def told(database_url: str) -> AsyncIterator[tuple[AsyncEngine, list[ResultRow]]]:
    chance = random.Random(1)  # noqa: S311 - the same rows every time
    rows = list({one.key: one for one in (row(chance) for _ in range(ROWS))}.values())
    async with central_engine(database_url) as engine:
        for tenant in SET_ASIDE:
            await register(engine, *INSTANCES, tenant=tenant)
        async with transaction(engine) as connection:
            await results.upsert(connection, rows)
            for tenant, instance in SET_ASIDE.items():
                await registry.quarantine(connection, tenant, instance, "a test")
        yield engine, [one for one in rows if one.instance != SET_ASIDE[one.tenant]]


def fitting(rows: Iterable[ResultRow], wanted: Wanted) -> list[ResultRow]:
    return [
        one
        for one in rows
        if one.tenant == wanted.tenant
        and wanted.first <= one.day <= wanted.last
        and wanted.job_type in ("", one.job_type)
        and wanted.model in ("", one.model)
        and wanted.instance in ("", one.instance)
    ]


def totals(rows: Iterable[ResultRow], key: Callable[[ResultRow], tuple[str, str]]) -> list[Total]:
    """Add up as anybody would, most results first."""
    groups: defaultdict[tuple[str, str], list[ResultRow]] = defaultdict(list)
    for one in rows:
        groups[key(one)].append(one)
    found = [
        Total(job_type=kind, model=model, instances=len({one.instance for one in group}), **_sums(group))
        for (kind, model), group in groups.items()
    ]
    return sorted(found, key=lambda one: -one.results)


def _sums(group: Sequence[ResultRow], names: Sequence[str] = COUNTS) -> dict[str, Any]:
    return {name: min(COUNT_MAX, sum(getattr(one, name) for one in group)) for name in names}


def days(rows: Sequence[ResultRow]) -> list[Day]:
    names = [name for name in Day.__struct_fields__ if name != "day"]
    seen = sorted({one.day for one in rows})
    return [Day(day, **_sums([one for one in rows if one.day == day], names)) for day in seen]


def unordered(many: Iterable[Total]) -> set[tuple[Any, ...]]:
    return {structs.astuple(one) for one in many}


async def test_added_up_together_as_one_by_one(told: tuple[AsyncEngine, list[ResultRow]]) -> None:
    engine, rows = told
    chance = random.Random(2)  # noqa: S311 - the same questions every time
    for _ in range(SAMPLES):
        first, last = sorted(chance.choices(DAYS, k=2))
        wanted = Wanted(
            tenant=chance.choice(("ours", "theirs", "nobody")), first=first, last=last,
            job_type=chance.choice(("", "", *KINDS)), model=chance.choice(("", "", *MODELS)),
            instance=chance.choice(("", "", "", *INSTANCES)),
        )  # fmt: skip
        there = fitting(rows, wanted)
        async with transaction(engine) as connection:
            found = await result_totals.summary(connection, wanted, 100)
            models = await result_totals.by_model(connection, wanted, 100)
            everything = await result_totals.of_all(connection, wanted)
        assert unordered(found.items) == unordered(totals(there, lambda one: (one.job_type, one.model)))
        assert unordered(models) == unordered(totals(there, lambda one: ("", one.model)))
        assert ([found.total] if found.total else []) == totals(there, lambda _: ("", ""))
        assert found.days == days(there)
        assert everything == found.total
        for items in (found.items, models):
            assert [one.results for one in items] == sorted((one.results for one in items), reverse=True)


async def test_no_more_than_asked_for_and_the_most_first(told: tuple[AsyncEngine, list[ResultRow]]) -> None:
    engine, _ = told
    async with transaction(engine) as connection:
        few = await result_totals.summary(connection, EVERYTHING, 4)
        many = await result_totals.summary(connection, EVERYTHING, 100)
    assert len(many.items) == len(KINDS) * len(MODELS)
    assert few.items == many.items[:4]
    assert (few.total, few.days) == (many.total, many.days), "of everything all the same"
    assert few.total is not None
    assert few.total.instances == len(INSTANCES) - 1


async def test_of_nothing_there_is_nothing(database_url: str) -> None:
    async with central_engine(database_url) as engine, transaction(engine) as connection:
        found = await result_totals.summary(connection, EVERYTHING, 100)
    assert (found.total, found.items, found.days) == (None, [], [])


async def test_however_often_it_is_asked_it_is_planned_for_what_is_asked(
    told: tuple[AsyncEngine, list[ResultRow]],
) -> None:
    """A plan for all questions knows neither how many rows there are nor what was left open."""
    engine, _ = told
    async with transaction(engine) as connection:
        for _ in range(ASKED_OFTEN):
            await result_totals.summary(connection, EVERYTHING, 10)
            await result_totals.by_model(connection, EVERYTHING, 10)
            await result_totals.sketches(connection, EVERYTHING, 1000)
        planned = (await connection.execute(text(_PLANNED))).one()
    assert tuple(planned) == (4, 0)


_PLANNED: Final = """
    SELECT count(*), sum(generic_plans) FROM pg_prepared_statements WHERE statement LIKE '%result_states%'
"""
