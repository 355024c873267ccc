"""The same over the real path: what crosses the bus, and whether instances rank by the numbers found without it.

Real instances study real repositories, a real hub concludes; every message is heard by a client that stands aside.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from bench.corpora import Source
from bench.heldout.fleet import Language
from bench.heldout.mined import Repository
from bench.report import print_expectation
from bench.servers import nats_server, postgres
from centralcloud.calibrate import calibrate
from centralcloud.learning.calibration import conclude
from centralcloud.learning.fleet import rounded
from instance.learning.expectation import FleetEvidence, elsewhere
from instance.store import calibrations, insights
from instance.sync.downlink import Downlink
from schemas.codec import decode
from schemas.envelope import Envelope
from schemas.names import DEFAULT_TENANT
from schemas.subjects import STREAM_SUBJECT, Sender, inbox_prefix
from shared.bus import settled
from tests.support.daemons import Hub, Member, hub, member
from tests.support.wire import plain_client

REPOSITORIES: Final = 5
FILES: Final = range(40, 300)
"""Small repositories are enough to see that the numbers are the same."""
OTHER_PATTERNS: Final = "usage"
"""The agent that learns calls, which are patterns of code, too; here only idioms are compared."""
RATE_ERROR_MAX: Final = 1e-6
FACTOR_ERROR_MAX: Final = 1e-3


@dataclass
class Traffic:
    """What one instance said, and what was said to it."""

    events: int = 0
    bodies: list[bytes] = field(default_factory=list)
    received_bytes: int = 0

    async def heard(self, message: Msg) -> None:
        """Count an envelope."""
        self.events += len(decode(message.data, Envelope).data.events)
        self.bodies.append(message.data)

    async def answered(self, message: Msg) -> None:
        """Count a reply: an acknowledgement, a receipt, a page of insights, the tables."""
        self.received_bytes += len(message.data)


@dataclass
class Instance:
    """A running instance, its repository as mined without it, and its traffic."""

    member: Member
    repository: Repository
    traffic: Traffic


def measure(language: str, mined: Sequence[Repository], sources: Sequence[Source]) -> None:
    """Run some of the repositories of a language as a fleet, and print what crossed and whether the numbers agree."""
    roots = {source.name: source for source in sources if source.language == language}
    small = [one for one in mined if one.language == language and len(one.files) in FILES and one.name in roots]
    chosen = sorted(small, key=lambda one: one.name)[:REPOSITORIES]
    asyncio.run(_measure(Language(language, chosen), [roots[one.name] for one in chosen]))


async def _measure(language: Language, sources: Sequence[Source]) -> None:
    async with _fleet(language, sources) as (central, running):
        for one in running:
            await one.member.shares()
        head = await central.conclude()
        await calibrate(central.engine, DEFAULT_TENANT)
        for one in running:
            await one.member.knows(head)
            await one.member.part(Downlink).calibrate()
        _print_traffic(running)
        rates = [await _rate_error(number, one, language) for number, one in enumerate(running)]
        factors = [await _factor_error(one, language) for one in running]
    compared = sum(count for count, _ in rates)
    _print_agreement(
        f"{compared:,} rates of the fleet as instances use them", [error for _, error in rates], RATE_ERROR_MAX
    )
    _print_agreement("the factors as instances use them", factors, FACTOR_ERROR_MAX)


@asynccontextmanager
async def _fleet(language: Language, sources: Sequence[Source]) -> AsyncIterator[tuple[Hub, list[Instance]]]:
    async with AsyncExitStack() as stack:
        nats, server = stack.enter_context(nats_server()), stack.enter_context(postgres())
        names = [f"bench-{number}" for number in range(len(sources))]
        server.ensure_database(*(name.replace("-", "_") for name in names))
        listener = await stack.enter_async_context(plain_client(nats.url))
        central = await stack.enter_async_context(hub(nats.url, server.dsn("hub")))
        running = []
        for name, source, repository in zip(names, sources, language.repositories, strict=True):
            traffic = await _listen(listener, name)
            database = server.dsn(name.replace("-", "_"))
            started = await stack.enter_async_context(
                member(nats.url, database, source.root, instance_id=name, agents_off=OTHER_PATTERNS)
            )
            running.append(Instance(started, repository, traffic))
        yield central, running


async def _listen(listener: Client, name: str) -> Traffic:
    traffic, sender = Traffic(), Sender(DEFAULT_TENANT, name)
    await listener.subscribe(STREAM_SUBJECT.removesuffix("*.*") + ".".join(sender), cb=traffic.heard)
    await listener.subscribe(f"{inbox_prefix(sender)}.>", cb=traffic.answered)
    await settled(listener)
    return traffic


async def _rate_error(number: int, one: Instance, language: Language) -> tuple[int, float]:
    """Compare what the fleet says, read from an instance's database, with what the others were found to have."""
    said = language.said[number]
    totals = {other.name: rounded(other.files_total) for other in language.said}
    expected = language.heard(number, totals)
    async with one.member.engine.connect() as connection:
        rates = await insights.fleet_rates(connection, [identity.hex() for identity in language.idioms])
    heard: dict[bytes, FleetEvidence] = {}
    for identity, rate in ((bytes.fromhex(text), rate) for text, rate in rates.items()):
        own = said.files.get(identity, 0)
        evidence = elsewhere(rate.repositories, rate.mean_rate, fleet=rate.counted, files=own, seen=totals[said.name])
        if evidence.repositories:
            heard[identity] = evidence
    assert {identity: one.repositories for identity, one in heard.items()} == {
        identity: one.repositories for identity, one in expected.items()
    }
    return len(heard), max(abs(heard[identity].mean_rate - one.mean_rate) for identity, one in expected.items())


async def _factor_error(one: Instance, language: Language) -> float:
    async with one.member.engine.connect() as connection:
        tables = await calibrations.by_language(connection)
    found = language.outcome()
    assert found is not None
    expected = {table.language: table for table in conclude({language.name: found})}
    pairs = zip(tables[language.name].factors, expected[language.name].factors, strict=True)
    return max(abs(used - offline) for used, offline in pairs)


def _print_traffic(running: Sequence[Instance]) -> None:
    head = f"{'files':>6} {'events':>8} {'envelopes':>10} {'KB sent':>9} {'zlib KB':>8} {'KB received':>12}"
    print(f"\n{'over the bus':22} {head}")
    for one in running:
        traffic = one.traffic
        sent = b"".join(traffic.bodies)
        print(
            f"{one.repository.name:22} {len(one.repository.files):6} {traffic.events:8,} {len(traffic.bodies):10}"
            f" {len(sent) / 1e3:9,.0f} {len(zlib.compress(sent)) / 1e3:8,.0f} {traffic.received_bytes / 1e3:12,.0f}"
        )


def _print_agreement(what: str, errors: Sequence[float], error_max: float) -> None:
    worst = max(errors)
    print_expectation(f"{what} are those found offline: off by {worst:.1e} at most", met=worst <= error_max)
