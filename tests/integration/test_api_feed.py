"""The feed: nothing is missed whatever order transactions end in, a stream resumes, and a server stops at once."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.store import activity
from centralcloud.store.activity import Happened, Happening
from centralcloud.web import feed as feeds
from centralcloud.web import reader as reader_of_events
from centralcloud.web.reader import Reader
from shared.database import transaction
from shared.move import ends
from shared.web.endpoint import Raw
from tests.support.api import Event, api, listening
from tests.support.databases import central_engine
from tests.support.http import served
from tests.support.lifecycle import started, stress
from tests.support.patterns import scalar
from tests.support.wait import eventually


async def test_a_row_that_is_committed_late_comes_after_those_seen_before_it(database_url: str) -> None:
    async with central_engine(database_url) as engine:
        async with engine.connect() as slow:
            await activity.tell(slow, [_happening("slow")])
            await _tell(engine, "quick")
            assert await _placed_after(engine, 0) == ["quick"]
            (first,) = await _read(engine, 0)
            assert await scalar(engine, "SELECT count(*) FROM activity") == 1
            await slow.commit()
        assert await _placed_after(engine, first.place) == ["slow"]
        assert await scalar(engine, "SELECT (array_agg(instance ORDER BY id))[1] FROM activity") == "slow"


async def test_two_that_number_at_once_never_show_a_place_before_a_lower_one(database_url: str) -> None:
    async with central_engine(database_url) as engine:
        await _tell(engine, *(f"i{number}" for number in range(20)))
        async with engine.connect() as first:
            await activity.place_all(first)
            await _tell(engine, "later")
            second = asyncio.create_task(_place(engine))
            await eventually(lambda: _waits(engine), what="the second waits for the first")
            assert await _read(engine, 0) == []
            await first.commit()
            assert await second == 1
        assert [one.instance for one in await _read(engine, 0)] == [*(f"i{number}" for number in range(20)), "later"]


async def test_a_stream_tells_what_happens_and_resumes_where_it_was(database_url: str) -> None:
    async with api(database_url) as served_api:
        async with listening(served_api.site) as listener:
            assert listener.status == 200
            assert listener.headers["content-type"].startswith("text/event-stream")
            await eventually(lambda: served_api.feed.open_streams == 1)
            await _tell(served_api.engine, "ann", "bob")
            heard = await listener.take(2)
        assert [(one.kind, one.data["instance"], one.data["events"]) for one in heard] == [
            ("learned", "ann", 3),
            ("learned", "bob", 3),
        ]
        await eventually(lambda: served_api.feed.open_streams == 0, what="who went away is forgotten")
        await _tell(served_api.engine, "cid")
        async with listening(served_api.site, last_seen=heard[0].id) as listener:
            await _tell(served_api.engine, "dan")
            assert _names(await listener.take(3)) == ["bob", "cid", "dan"]
        async with listening(served_api.site, "?replay=2") as listener:
            assert _names(await listener.take(2)) == ["cid", "dan"]


async def test_streams_of_a_tenant_hear_of_it_and_of_the_hubs(database_url: str) -> None:
    async with api(database_url) as served_api, listening(served_api.site, "?tenant=ours") as listener:
        await eventually(lambda: served_api.feed.open_streams == 1)
        async with transaction(served_api.engine) as connection:
            await activity.tell(
                connection,
                [
                    _happening("theirs", tenant="theirs"),
                    Happening(tenant=None, kind="leader", instance=None, data={"epoch": 7}),
                    _happening("ann", tenant="ours"),
                ],
            )
        assert [one.kind for one in await listener.take(2)] == ["leader", "learned"]


async def test_nothing_is_missed_or_told_twice_while_streams_come_and_go(database_url: str) -> None:
    wanted = [f"i{number}" for number in range(120)]
    async with api(database_url) as served_api:
        writing = asyncio.create_task(_tell_one_by_one(served_api.engine, wanted))
        heard: list[str] = []
        seen = 0
        while len(heard) < len(wanted):
            async with listening(served_api.site, "?after=0", last_seen=seen) as listener:
                for one in await listener.take(min(17, len(wanted) - len(heard))):
                    heard.append(one.data["instance"])
                    seen = one.id
        await writing
    assert heard == wanted


async def test_who_does_not_keep_up_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_of_events, "WAITING_MAX", 5)
    reader = Reader("default")
    for number in range(9):
        reader.take(Happened(number, datetime.now(UTC), "default", "learned", None, {}))
    assert [one.place async for one in reader.coming(asyncio.Event()) if one] == [0, 1, 2, 3, 4]


async def test_a_server_stops_at_once_with_streams_open(database_url: str) -> None:
    async with central_engine(database_url) as engine:
        feed = feeds.Feed(engine)
        async with started(feed):
            async with served(feed.endpoint()) as site, listening(site) as listener:
                await eventually(lambda: feed.open_streams == 1)
                stopping = time.monotonic()
            assert time.monotonic() - stopping < 1
            assert feed.open_streams == 0
        assert listener.status == 200


async def test_a_quiet_stream_is_kept_open_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_of_events, "COMMENT_SECONDS", 0.05)
    reader = Reader("default")
    coming = reader.coming(asyncio.Event())
    assert [await anext(coming), await anext(coming)] == [None, None]


async def test_ids_that_are_none_are_refused(database_url: str) -> None:
    async with api(database_url) as served_api:
        assert (await served_api.site.get("/api/v1/events?after=x")).status == 400
        assert (await served_api.site.get("/api/v1/events?since=1")).status == 400


async def test_the_feed_starts_and_stops_in_any_order(database_url: str) -> None:
    async with central_engine(database_url) as engine:
        feed = feeds.Feed(engine)
        assert isinstance(feed.endpoint(), Raw)
        await stress(feed)
        await feed.stop()


async def test_old_rows_go_and_places_are_never_given_again(database_url: str) -> None:
    async with central_engine(database_url) as engine:
        await _tell(engine, *(f"i{number}" for number in range(10)))
        await _place(engine)
        async with transaction(engine) as connection:
            assert await activity.prune(connection, 100, kept=4) == 6
            assert [one.place for one in await activity.after(connection, 0, 100)] == [7, 8, 9, 10]
            assert await activity.prune(connection, 100, kept=0) == 4
        await _tell(engine, "again")
        await _place(engine)
        assert [one.place for one in await _read(engine, 10)] == [11]


def _happening(name: str, tenant: str = "default") -> Happening:
    return Happening(tenant=tenant, kind="learned", instance=name, data={"events": 3})


def _names(heard: list[Event]) -> list[str]:
    return [one.data["instance"] for one in heard]


async def _tell(engine: AsyncEngine, *names: str) -> None:
    async with transaction(engine) as connection:
        await activity.tell(connection, [_happening(name) for name in names])


async def _tell_one_by_one(engine: AsyncEngine, names: list[str]) -> None:
    for name in names:
        await _tell(engine, name)


async def _place(engine: AsyncEngine) -> int:
    async with transaction(engine) as connection:
        return await activity.place_all(connection)


async def _read(engine: AsyncEngine, place: int) -> list[activity.Happened]:
    async with transaction(engine) as connection:
        return await activity.after(connection, place, 100)


async def _placed_after(engine: AsyncEngine, place: int) -> list[str | None]:
    await _place(engine)
    return [one.instance for one in await _read(engine, place)]


async def _waits(engine: AsyncEngine) -> bool:
    statement = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return bool(await scalar(engine, statement))


async def test_what_is_copied_from_another_server_did_not_happen_here(database_url: str) -> None:
    statement = """
        INSERT INTO instance_registry (tenant, instance_id, status, holder) VALUES ('default', %s, 'online', 'h')
    """
    async with central_engine(database_url) as engine:
        with ends.opened(database_url, "the target") as connection:
            connection.execute(statement, ["copied"])
        with psycopg.connect(database_url) as connection:
            connection.execute(statement, ["new"])
        await _place(engine)
        assert [(one.kind, one.instance) for one in await _read(engine, 0)] == [("instance", "new")]
