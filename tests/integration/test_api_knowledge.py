"""Patterns and insights over HTTP, and an insight taken back and restored through everything it passes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from centralcloud.aggregate import aggregate, rebuild
from centralcloud.aggregator import Aggregator
from centralcloud.queries import answers
from centralcloud.store import changes
from schemas import subjects
from schemas.codec import decode
from schemas.insights import Insight, InsightsQuery, PatternAggregation
from shared.bus import settled
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.metrics import Metrics
from shared.notices import Notices
from tests.support.api import Api, api
from tests.support.asking import asker, hub_bus
from tests.support.known import beat, learned, opinion, register, take_in
from tests.support.lifecycle import started
from tests.support.observed import TENANT, digest


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Api]:
    async with api(database_url) as served_api:
        yield served_api


async def three_share(served: Api, *, others: int = 0) -> str:
    """Have three instances learn a loop, each in a repository of its own, and some patterns two of them share."""
    shared = [learned(f"pattern {number}", "r") for number in range(others)]
    for name in ("ann", "bob", "cyd"):
        mine = [learned(one, f"repository of {name}") for one in ["loop", f"only of {name}"]]
        theirs = [learned(f"pattern {number}", f"repository of {name}") for number in range(len(shared))]
        await register(served.engine, name)
        await take_in(served.engine, name, 1, *mine, *(theirs if name != "cyd" else []))
    await aggregate(served.engine, TENANT)
    return digest("loop")


async def told(served: Api, since: int) -> list[Insight]:
    """What instances are told when they ask."""
    async with transaction(served.engine) as connection:
        return list((await answers.insights_page(connection, InsightsQuery(since=since))).insights)


async def test_an_insight_taken_back_stays_so_until_it_is_restored(served: Api) -> None:
    loop = await three_share(served)
    before = (await served.get(f"/insights/{loop}"))["insight"]
    assert (before["state"], before["instances"], before["withdrawn"]) == ("active", 3, None)

    done = await served.post(
        f"/insights/{loop}/revoke", {"version": before["version"], "by": "kim", "reason": "<b>bad</b>"}
    )
    assert (done["state"], done["changed"], done["withdrawn"]["by"]) == ("revoked", True, "kim")
    (withdrawal,) = await told(served, before["version"])
    assert (withdrawal.id, withdrawal.state, withdrawal.version) == (loop, "revoked", done["version"])

    assert (await aggregate(served.engine, TENANT)).changed == 0
    await take_in(served.engine, "cyd", 3, learned("loop", "another", files=9))
    await aggregate(served.engine, TENANT, "new")
    await rebuild(served.engine, TENANT)
    now = await served.get(f"/insights/{loop}")
    assert (now["insight"]["state"], now["insight"]["confidence"]) == ("revoked", None)
    assert now["lifecycle"]["revoked"] == now["history"][1]["changed_at"]
    assert await served.get("/insights") == {"items": [], "next": None}
    (listed,) = (await served.get("/insights?state=revoked"))["items"]
    assert listed["withdrawn"]["reason"] == "<b>bad</b>"

    again = await served.post(f"/insights/{loop}/restore", {"version": now["insight"]["version"]})
    assert (again["state"], again["changed"], again["withdrawn"]) == ("revoked", True, None)
    await aggregate(served.engine, TENANT, "new")
    restored = await served.get(f"/insights/{loop}")
    assert (restored["insight"]["state"], restored["insight"]["repositories"]) == ("active", 4)
    assert [one["state"] for one in restored["history"]][:: len(restored["history"]) - 1] == ["active", "active"]


async def test_the_fleet_is_told_at_once_by_the_hub_that_leads(served: Api, nats_server: EmbeddedNats) -> None:
    loop = await three_share(served)
    async with asker(nats_server.url) as client, hub_bus(nats_server.url) as bus:
        hints = await client.subscribe(subjects.INSIGHTS_AGGREGATED)
        await settled(client)
        aggregator = Aggregator(served.engine, bus, Metrics(), debounce_seconds=0.05, poll_seconds=600)
        notices = Notices(served.engine)
        notices.on(changes.CHANNEL, aggregator.notify)
        async with started(notices, aggregator):
            before = decode((await hints.next_msg(timeout=10)).data, PatternAggregation).head
            await served.post(f"/insights/{loop}/revoke")
            assert decode((await hints.next_msg(timeout=10)).data, PatternAggregation).head == before + 1
            await served.post(f"/insights/{loop}/restore")
            assert decode((await hints.next_msg(timeout=10)).data, PatternAggregation).head == before + 2
    assert (await served.get(f"/insights/{loop}"))["insight"]["state"] == "active"


async def test_who_decides_on_what_has_changed_since_is_told_both_versions(served: Api) -> None:
    loop = await three_share(served)
    answer = await served.site.post(f"/api/v1/insights/{loop}/revoke", {"version": 77})
    assert (answer.status, answer.code) == (409, "CONFLICT")
    assert answer.document["error"]["details"] == {"version": "1", "seen": "77"}
    assert (await served.get(f"/insights/{loop}"))["insight"]["state"] == "active"


async def test_taking_back_twice_and_restoring_what_nobody_took_back_change_nothing(served: Api) -> None:
    loop = await three_share(served)
    assert (await served.post(f"/insights/{loop}/restore"))["changed"] is False
    first = await served.post(f"/insights/{loop}/revoke")
    second = await served.post(f"/insights/{loop}/revoke")
    assert (second["changed"], second["version"]) == (False, first["version"])
    for what in ("revoke", "restore"):
        await served.post(f"/insights/{'0' * 32}/{what}", status=404)


async def test_an_insight_tells_how_far_it_has_come(served: Api) -> None:
    loop = await three_share(served)
    await take_in(served.engine, "bob", 3, opinion("loop"))
    await aggregate(served.engine, TENANT)
    head = (await served.get("/overview"))["insight_version"]
    await beat(served.engine, "ann", head)
    found = await served.get(f"/insights/{loop}")
    assert (found["insight"]["applied_by"], found["insight"]["told"], found["not_applied"]) == (1, 3, ["bob", "cyd"])
    assert found["lifecycle"]["adopted"] is None
    assert found["opinions"][0]["verdict"] == "accepted"
    for name in ("bob", "cyd"):
        await beat(served.engine, name, head)
    found = await served.get(f"/insights/{loop}")
    moments = [found["lifecycle"][name] for name in ("first_seen", "shared", "adopted")]
    assert moments == sorted(moments)
    assert found["insight"]["accepted"] == 1
    bounds = found["insight"]["confidence"]
    assert bounds["lower"] < bounds["value"] <= bounds["upper"] == 1.0
    why = await served.get(f"/insights/{loop}/why")
    assert [one["instance"] for one in why["observations"]] == ["ann", "bob", "cyd"]


async def test_lists_are_read_to_their_end_page_by_page(served: Api) -> None:
    await three_share(served, others=7)
    for path, expected in (
        ("/insights", 8),
        ("/insights?sort=newest", 8),
        ("/insights?state=any", 8),
        ("/patterns", 8),
        ("/patterns?sort=newest", 11),
        ("/patterns?instance=ann", 9),
    ):
        whole = (await served.get(f"{path}{'&' if '?' in path else '?'}limit=1000"))["items"]
        paged = await served.every(path, 3)
        assert [_name(one) for one in paged] == [_name(one) for one in whole], path
        assert len({_name(one) for one in paged}) == expected, path
    assert (await served.get("/insights?limit=1"))["items"][0]["instances"] == 3


async def test_a_pattern_tells_who_has_it(served: Api) -> None:
    loop = await three_share(served)
    found = await served.get(f"/patterns/{loop}")
    pattern = found["pattern"]
    assert (pattern["instances"], pattern["repositories"], pattern["files"]) == (3, 3, 9)
    assert (pattern["insight"], len(found["evidence"])) == ("active", 3)
    alone = await served.get(f"/patterns/{digest('only of ann')}")
    assert (alone["pattern"]["insight"], alone["pattern"]["confidence"], alone["pattern"]["instances"]) == (
        None,
        None,
        1,
    )
    await served.get(f"/patterns/{digest('nobody')}", status=404)


async def test_what_is_looked_for_is_found(served: Api) -> None:
    loop = await three_share(served, others=2)
    assert [one["id"] for one in (await served.get(f"/insights?q={loop[:9].upper()}"))["items"]] == [loop]
    assert (await served.get("/insights?language=go"))["items"] == []
    assert len((await served.get("/patterns?sort=newest&kind=code.pattern&language=python"))["items"]) == 6
    answer = await served.site.get("/api/v1/insights?after=nonsense")
    assert (answer.status, answer.code) == (400, "INVALID_REQUEST")


async def test_an_empty_database_has_empty_lists(served: Api) -> None:
    for path in ("/insights", "/patterns", "/patterns?sort=newest", "/patterns?instance=ann"):
        assert await served.get(path) == {"items": [], "next": None}
    await served.get(f"/insights/{'0' * 32}", status=404)
    await served.get(f"/insights/{'0' * 32}/why", status=404)


def _name(one: dict[str, str]) -> str:
    return one.get("id") or one["fingerprint"]
