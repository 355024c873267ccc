"""Whether who is named in the subject also signed: whoever has signed once must go on to, with a key we know.

A key is known from its first use, by an operator's word, or because the one before it vouches for it. What hubs take in
over HTTP they sign themselves. What is refused is kept as a dead letter and does not count as received: its sender, if
it was its sender, sends it again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud.config import SignaturePolicy
from centralcloud.ingest.arrivals import Arrival, DeadLetter
from centralcloud.store import instance_keys
from centralcloud.store.instance_keys import REFUSED
from schemas.subjects import Sender
from shared.database import transaction
from shared.metrics import Metrics

log = structlog.get_logger(__name__)

LETTERS_MAX: Final = 100
"""So many letters of one name are kept that were refused for their signature; the others are only counted."""

REMEMBERED_SECONDS: Final = 5.0
"""Keys are read anew after so long: then at the latest holds what an operator changed, or another hub learned."""

AT_ONCE_MAX: Final = 16
"""Signatures verified while everything else waits, a millisecond; more of them by a thread."""

_REASONS: Final = {
    "missing": "not signed, and its sender signs",
    "wrong": "does not fit what was sent",
    "another key": "by a key that is not known of its sender",
}


class Signed(NamedTuple):
    """An envelope, and whether the key it names signed it; False as well when it names none."""

    arrival: Arrival
    fits: bool


@dataclass
class Verdict:
    """What is to be taken in and what is refused, and what was learned of keys on the way."""

    known: dict[Sender, str]
    """Empty of whom no key is known."""
    taken: list[Arrival] = field(default_factory=list)
    refused: list[tuple[Arrival, str]] = field(default_factory=list)
    first: dict[Sender, str] = field(default_factory=dict)
    followed: list[tuple[Sender, str, str]] = field(default_factory=list)

    @property
    def is_no_news(self) -> bool:
        """Whether all is as it was known to be."""
        return not (self.refused or self.first or self.followed)


class Signatures:
    """Sifts envelopes by their signatures."""

    def __init__(self, engine: AsyncEngine, metrics: Metrics, policy: SignaturePolicy) -> None:
        self._engine = engine
        self._metrics = metrics
        self._policy = policy
        self._hub_key = ""
        self._known: dict[Sender, str] = {}
        self._read_at = -math.inf
        for reason in _REASONS:  # an increase is only seen of what was there before
            metrics.signatures_refused.labels(reason)

    async def sift(self, arrivals: Sequence[Arrival]) -> tuple[list[Arrival], list[DeadLetter]]:
        """Return what is to be taken in, and letters of what is not; `UnreachableError` while the database is away."""
        if self._policy == "off" or not arrivals:
            return list(arrivals), []
        signed = verified(arrivals) if len(arrivals) <= AT_ONCE_MAX else await asyncio.to_thread(verified, arrivals)
        remembered = self._remembered(signed)
        if remembered is not None and remembered.is_no_news:
            return remembered.taken, []
        async with transaction(self._engine) as connection:
            found = await self._judge(connection, signed)
            letters = await self._letters(connection, found.refused)
        self._known |= found.known
        self._tell(found.refused)
        return found.taken, letters

    def _remembered(self, signed: Sequence[Signed]) -> Verdict | None:
        """Judge by what was read a moment ago; None when somebody's key was not."""
        if time.monotonic() - self._read_at > REMEMBERED_SECONDS:
            self._known, self._read_at = {}, time.monotonic()
        if any(one.arrival.sender not in self._known for one in signed):
            return None
        return judge(signed, self._known, self._hub_key, required=self._policy == "required")

    async def _judge(self, connection: AsyncConnection, signed: Sequence[Signed]) -> Verdict:
        """Judge, and remember what keys are new; should another hub have learned others meanwhile, judge again."""
        self._hub_key = self._hub_key or (await instance_keys.hub_signer(connection)).public
        senders = {one.arrival.sender for one in signed}
        while True:
            known = dict.fromkeys(senders, "") | await instance_keys.of(connection, senders)
            found = judge(signed, known, self._hub_key, required=self._policy == "required")
            if await _remember(connection, found):
                return found

    async def _letters(self, connection: AsyncConnection, refused: Sequence[tuple[Arrival, str]]) -> list[DeadLetter]:
        if not refused:
            return []
        kept = Counter(await instance_keys.refused(connection, {one.sender for one, _ in refused}, LETTERS_MAX))
        letters = []
        for arrival, reason in refused:
            kept[arrival.sender] += 1
            if kept[arrival.sender] <= LETTERS_MAX:
                error = REFUSED + _REASONS[reason]
                letters.append(DeadLetter(arrival.subject, arrival.body, error, arrival.lineage))
        return letters

    def _tell(self, refused: Sequence[tuple[Arrival, str]]) -> None:
        for (sender, reason), envelopes in Counter((one.sender, reason) for one, reason in refused).items():
            self._metrics.signatures_refused.labels(reason).inc(envelopes)
            log.warning(
                "refused for the signature",
                tenant=sender.tenant,
                instance=sender.instance,
                reason=_REASONS[reason],
                envelopes=envelopes,
                next="see `flocklore centralcloud keys list`; `keys forget` lets it sign with another key",
            )


def verified(arrivals: Sequence[Arrival]) -> list[Signed]:
    """Verify every signature: some 60 microseconds each. Pure."""
    return [Signed(one, one.seal is not None and one.seal.fits(one.subject, one.body)) for one in arrivals]


def judge(signed: Sequence[Signed], known: dict[Sender, str], hub_key: str, *, required: bool) -> Verdict:
    """Judge envelopes in the order they came in. Pure."""
    verdict = Verdict(dict(known))
    for one in signed:
        if reason := _flaw(one, verdict, hub_key, required=required):
            verdict.refused.append((one.arrival, reason))
        else:
            verdict.taken.append(one.arrival)
    return verdict


def _flaw(one: Signed, verdict: Verdict, hub_key: str, *, required: bool) -> str:
    """What is wrong with the signature of one envelope; empty when nothing is."""
    sender, seal = one.arrival.sender, one.arrival.seal
    known = verdict.known.get(sender, "")
    if seal is None:
        return "missing" if known or required else ""
    if not one.fits:
        return "wrong"
    if seal.key in (known, hub_key):
        return ""
    if not known:
        verdict.first[sender] = verdict.known[sender] = seal.key
        return ""
    if seal.follows(known, sender):
        verdict.followed.append((sender, known, seal.key))
        verdict.known[sender] = seal.key
        return ""
    return "another key"


async def _remember(connection: AsyncConnection, found: Verdict) -> bool:
    """Write down what keys were learned; False when somebody else was quicker with another."""
    if found.first and await instance_keys.learn(connection, found.first) != found.first:
        return False
    return all([await instance_keys.succeed(connection, *change) for change in found.followed])
