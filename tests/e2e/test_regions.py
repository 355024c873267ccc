"""A region, its delegate and the hub above as processes that are killed: what the region knows is above, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec import structs
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from schemas.codec import encode
from schemas.events import Event, PatternForgotten
from schemas.subjects import Sender
from shared.embedded.nats import EmbeddedNats
from tests.chaos.supervision import Supervised
from tests.chaos.verdict import count, judge, rows, settled
from tests.support.known import learned, results
from tests.support.observed import digest
from tests.support.wait import eventually
from tests.support.wire import envelope, plain_client, send

SETTINGS = """
[centralcloud.schedules]
aggregate = "2"
"""
A_ROUND = 30
FORGOTTEN = 10
SECONDS = 120.0

OWN = "SELECT id FROM insights WHERE state = 'active' AND NOT coalesce((body->>'above')::boolean, false)"
FROM_ABOVE = "SELECT id FROM insights WHERE state = 'active' AND (body->>'above')::boolean"
SUMS = """
    SELECT model, sum(results)::bigint, sum(succeeded)::bigint, sum(cost_microcents)::bigint FROM result_states {}
     GROUP BY 1 HAVING count(*) > {} ORDER BY 1
"""
HEAD = "SELECT coalesce(max(head), 0) FROM uplink"


class Voice:
    """An instance that is not there: somebody who says what it would, in its sequence."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url
        self._seq = 1

    async def says(self, events: list[Event]) -> None:
        """Publish until the stream has it."""
        body = envelope(self._seq, [encode(one) for one in events])
        self._seq += len(events)
        async with plain_client(self._url) as client:

            async def sent() -> bool:
                try:
                    await send(client, body, sender=Sender("default", self.name), message_id=digest(f"{body!r}"))
                except (NatsError, JetStreamError):
                    return False
                return True

            await eventually(sent, SECONDS, what=f"{self.name} is heard")


class Parts(NamedTuple):
    """The three processes that may be killed, their databases, and who speaks to the two hubs."""

    delegate: Supervised
    region: Supervised
    world: Supervised
    delegate_url: str
    region_url: str
    world_url: str
    inside: tuple[Voice, ...]
    outside: tuple[Voice, ...]


@pytest.fixture
async def parts(
    own_nats: Callable[[], EmbeddedNats], make_database: Callable[[], str], tmp_path: Path
) -> AsyncIterator[Parts]:
    (tmp_path / "flocklore.toml").write_text(SETTINGS, encoding="utf-8")
    region, world = own_nats().url, own_nats().url
    urls = [make_database() for _ in range(3)]
    common = {"FLOCKLORE_HEARTBEAT_SECONDS": "1"}
    told = [
        {"NATS_URL": world, "INSTANCE_ID": "eu", "FLOCKLORE_REGION": "eu", "FLOCKLORE_REGION_NATS_URL": region},
        {"NATS_URL": region, "FLOCKLORE_REGION": "eu", "FLOCKLORE_REGION_DELEGATE": "eu"},
        {"NATS_URL": world},
    ]
    daemons = [
        Supervised(["-P", "-m", module, "run"], tmp_path / f"{number}.log", common | one | {"DATABASE_URL": url})
        for number, (module, one, url) in enumerate(
            zip(("instance", "centralcloud", "centralcloud"), told, urls, strict=True)
        )
    ]
    inside = tuple(Voice(name, region) for name in ("ann", "bob"))
    outside = tuple(Voice(name, world) for name in ("us", "ap"))
    async with AsyncExitStack() as stack:
        for one in daemons:
            one.start()
            stack.callback(one.kill)
        yield Parts(daemons[0], daemons[1], daemons[2], urls[0], urls[1], urls[2], inside, outside)


async def test_what_a_region_knows_is_above_once_though_all_are_killed(parts: Parts) -> None:
    await play(parts, [(parts.delegate, parts.region, parts.world)])


@pytest.mark.chaos
async def test_what_a_region_knows_is_above_once_whatever_is_killed(parts: Parts) -> None:
    one_by_one = [(parts.delegate,), (parts.region,), (parts.world,)]
    await play(parts, [*one_by_one, (parts.delegate, parts.world), (parts.delegate, parts.region), *one_by_one])


async def play(parts: Parts, victims: list[tuple[Supervised, ...]]) -> None:
    """Have both sides learn and forget, kill some in the middle of each round, and compare in the end."""
    await tell(parts, 0)
    for number, killed in enumerate(victims, 1):
        before = count(parts.delegate_url, HEAD)
        await tell(parts, number)

        def goes_on(before: int = before) -> bool:
            return count(parts.delegate_url, HEAD) > before

        await eventually(goes_on, SECONDS, "it is passed on")
        for one in killed:
            one.kill()
        for one in killed:
            one.start()
    await agreed(parts, len(victims) + 1)


async def tell(parts: Parts, number: int) -> None:
    """Have the region learn some patterns, forget some of the last ones and run more jobs; others learn as well."""
    for voice in parts.inside:
        known = [learned(f"own {number} {one}", f"{voice.name} of eu") for one in range(A_ROUND)]
        ran = [
            structs.replace(
                results(model, [number + 1] * (number + 1) * 3, number),
                version=number + 1,
                id=digest(f"{model} {number}"),
            )
            for model in ("small", "large")
        ]
        await voice.says([*known, *forgotten(number - 1, f"{voice.name} of eu"), *ran])
    for voice in parts.outside:
        await voice.says([learned(f"above {number} {one}", f"{voice.name} itself") for one in range(A_ROUND)])


def forgotten(number: int, repository: str) -> list[PatternForgotten]:
    """Some patterns of a round are no more."""
    return [
        PatternForgotten(
            id=digest(f"end of {number} {one} in {repository}"), time=learned("a", "b").time, version=2,
            fingerprint=digest(f"own {number} {one}"), repository=digest(repository),
        )
        for one in range(FORGOTTEN if number >= 0 else 0)
    ]  # fmt: skip


async def agreed(parts: Parts, rounds: int) -> None:
    """Wait until the region and the hub above know what they should, and nothing is lost or there twice."""
    own = {
        digest(f"own {number} {one}")
        for number in range(rounds)
        for one in range(FORGOTTEN if number < rounds - 1 else 0, A_ROUND)
    }
    beyond = {digest(f"above {number} {one}") for number in range(rounds) for one in range(A_ROUND)}
    await eventually(lambda: ids(parts.region_url, OWN) == own, SECONDS, "the region knows its own")
    await eventually(lambda: ids(parts.region_url, FROM_ABOVE) == beyond, SECONDS, "the region knows what is above")
    await eventually(lambda: said(parts) == own, SECONDS, "all is passed on")
    await eventually(lambda: sums(parts), SECONDS, "all results are passed on")
    await eventually(lambda: settled(parts.world_url, {"eu": parts.delegate_url}), SECONDS, "all is confirmed")
    verdict = await asyncio.to_thread(judge, parts.world_url, {"eu": parts.delegate_url})
    assert (verdict.lost, verdict.double, verdict.standing) == (0, 0, len(own))


def ids(database_url: str, statement: str) -> set[str]:
    return {row[0] for row in rows(database_url, statement)}


def said(parts: Parts) -> set[str]:
    """Patterns the hub above has of the region."""
    return ids(parts.world_url, "SELECT fingerprint FROM observations WHERE instance = 'eu' AND NOT forgotten")


def sums(parts: Parts) -> bool:
    """Whether the sums of the region are those above, none left out."""
    above = rows(parts.world_url, SUMS.format("WHERE instance = 'eu'", 0))
    return len(above) == 2 and above == rows(parts.region_url, SUMS.format("", 1))
