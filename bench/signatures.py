"""What it costs centralcloud to verify who said what: ingest of signed envelopes, against ingest that does not look.

Both take in the same events of instances of their own, in batches and transactions as the daemon does, with fsync.
Signing is not measured: it is done by the instances.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from bench.events import envelopes, numbered
from bench.report import interleaved, print_expectation, print_machine, print_rates, ratio
from bench.servers import hub_database
from centralcloud.config import SignaturePolicy
from centralcloud.ingest.arrivals import Arrival, read
from centralcloud.ingest.commit import commit
from centralcloud.ingest.signatures import Signatures
from schemas import subjects
from schemas.headers import MESSAGE_ID
from schemas.subjects import Sender
from shared.database import transaction
from shared.metrics import Metrics
from shared.signing import Signer
from tests.support.patterns import TOPIC

ROUNDS: Final = 9
INSTANCES: Final = 8
BATCHES: Final = 24
"""Of one envelope of each instance."""

COST_MAX: Final = 0.05

Message = tuple[str, bytes, dict[str, str]]


def main() -> None:
    """Print a table for full envelopes, and one for single events."""
    asyncio.run(_main())


async def _main() -> None:
    print_machine()
    async with hub_database() as engine:
        for events in (100, 1):
            print(f"envelopes of {events} events, batches of {INSTANCES} envelopes")
            both = {name: Side(engine, policy, f"{name}-{events}") for name, policy in _POLICIES.items()}
            rounds = await interleaved(ROUNDS, {name: partial(side.take_in, events) for name, side in both.items()})
            print_rates(rounds, "events/s", {"signed": "unsigned"})
            cost = 1 - ratio(rounds, "signed", "unsigned")
            print_expectation(f"verifying takes {cost:.1%} of ingest, expected < {COST_MAX:.0%}", met=cost < COST_MAX)


_POLICIES: Final[dict[str, SignaturePolicy]] = {"signed": "known", "unsigned": "off"}


class Side:
    """Instances that sign or do not, their sequences going on from turn to turn."""

    def __init__(self, engine: AsyncEngine, policy: SignaturePolicy, name: str) -> None:
        self._engine = engine
        self._signatures = Signatures(engine, Metrics(), policy)
        self._senders = {Sender("default", f"{name}-{number}"): Signer.new() for number in range(INSTANCES)}
        self._turns = 0

    async def take_in(self, events: int) -> float:
        """Take in the next messages of all; returns events per second."""
        batches = self._messages(events)
        started = time.perf_counter()
        for batch in batches:
            found = [read(*message) for message in batch]
            taken, letters = await self._signatures.sift([one for one in found if isinstance(one, Arrival)])
            assert (len(taken), letters) == (INSTANCES, [])
            async with transaction(self._engine) as connection:
                await commit(connection, taken, [])
        return BATCHES * INSTANCES * events / (time.perf_counter() - started)

    def _messages(self, events: int) -> list[list[Message]]:
        """The same patterns in the next version."""
        self._turns += 1
        first = (self._turns - 1) * BATCHES * events
        bodies = []
        for at in range(BATCHES):
            pack = numbered(range(at * events, (at + 1) * events), first + at * events + 1, self._turns)
            bodies += [body for _, body in envelopes(pack)]
        assert len(bodies) == BATCHES
        return [[self._sealed(sender, signer, body) for sender, signer in self._senders.items()] for body in bodies]

    def _sealed(self, sender: Sender, signer: Signer, body: bytes) -> Message:
        subject = subjects.learned(TOPIC, sender)
        return subject, body, {MESSAGE_ID: "id"} | signer.seal(subject, "id", body)
