"""One transaction: lock the watermarks, drop what is known, apply the rest, advance. Nothing twice, nothing half."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import Raw
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.ingest.admission import Admission
from centralcloud.ingest.arrivals import Arrival, DeadLetter, Lineage
from centralcloud.ingest.effects import Effects
from centralcloud.ingest.news import news
from centralcloud.store import activity, envelopes, feedback, intake, posts, results, watermarks
from centralcloud.store.posts import PostKey
from centralcloud.store.watermarks import Watermark
from schemas.sync import Receipt

GAPS_MAX = 50
DEAD_LETTER_REASON_MAX = 1000


@dataclass
class Committed:
    """What one transaction did; true once it has committed."""

    receipts: dict[Lineage, Receipt] = field(default_factory=dict)
    events: int = 0
    repeated: int = 0
    forks: int = 0
    dead_letters: int = 0


async def commit(
    connection: AsyncConnection, arrivals: Sequence[Arrival], letters: Sequence[DeadLetter], *, poison: str = ""
) -> Committed:
    """Apply envelopes of any instances; when `poison` is given, their events become dead letters for that reason."""
    by_lineage: dict[Lineage, list[Arrival]] = defaultdict(list)
    for arrival in sorted(arrivals, key=lambda arrival: arrival.first_seq):
        by_lineage[arrival.lineage].append(arrival)
    done, effects = Committed(), Effects(letters=list(letters))
    if by_lineage:
        lineages = sorted(by_lineage)
        states = await watermarks.lock(connection, lineages)
        admissions = map(Admission, (state.wm for state in states), await envelopes.ranges_beyond(connection, states))
        fresh = await posts.remember(connection, [_post_key(arrival) for arrival in arrivals if arrival.post])
        receivers = [
            _Receiver(connection, state, admission, effects, done, poison, fresh)
            for state, admission in zip(states, admissions, strict=True)
        ]
        advanced = [await receiver.receive(by_lineage[receiver.lineage]) for receiver in receivers]
        await envelopes.insert(connection, effects.log)
        await intake.upsert_observations(connection, effects.observations)
        await results.upsert(connection, effects.results)
        await intake.upsert_statistics(connection, effects.statistics)
        await feedback.upsert(connection, effects.feedback)
        await watermarks.advance(connection, advanced)
        if effects.snapshots or any(state.snapshot_seq for state in states):
            await watermarks.complete_snapshots(connection, lineages)
    if effects.letters:
        await envelopes.insert_dead_letters(connection, [_letter_row(letter) for letter in effects.letters])
        done.dead_letters = len(effects.letters)
    await activity.tell(connection, news(effects))
    return done


class _Receiver:
    """Receives the arrivals of one epoch, whose watermark is locked."""

    def __init__(
        self,
        connection: AsyncConnection,
        state: Watermark,
        admission: Admission,
        effects: Effects,
        done: Committed,
        poison: str,
        fresh: set[PostKey],
    ) -> None:
        self.lineage = Lineage(state.tenant, state.instance, state.epoch)
        self._connection = connection
        self._state = state
        self._admission = admission
        self._effects = effects
        self._done = done
        self._poison = poison
        self._fresh = fresh
        self._forked = state.forked
        self._hashes: dict[int, bytes] = {}

    async def receive(self, arrivals: Sequence[Arrival]) -> dict[str, Any]:
        """Admit what is new, and return the new row of the watermark."""
        for sent in arrivals:
            if sent.post and _post_key(sent) not in self._fresh:
                self._done.repeated += len(sent.events)
                continue
            arrival = self._numbered(sent) if sent.post else sent
            new = self._admission.new(arrival.first_seq, arrival.last_seq)
            repeated = len(arrival.events) - sum(last - first + 1 for first, last in new)
            if repeated and await self._contradicts(arrival):
                await self._set_aside(arrival)
                continue
            self._admission.admit(new)
            for first, last in new:
                self._accept(arrival, first, last)
            self._done.repeated += repeated
        return await self._advance()

    def _numbered(self, arrival: Arrival) -> Arrival:
        """Give a post, once, the sequences behind all that came before."""
        self._fresh.discard(_post_key(arrival))
        return replace(arrival, first_seq=self._admission.wm + 1)

    async def _contradicts(self, arrival: Arrival) -> bool:
        """Whether other events were received under these sequences: a clone, or an instance restored from a backup."""
        known = await envelopes.hashes_between(self._connection, self.lineage, arrival.first_seq, arrival.last_seq)
        known |= self._hashes
        return any(known.get(seq, found) != found for seq, found in enumerate(arrival.hashes, arrival.first_seq))

    async def _set_aside(self, arrival: Arrival) -> None:
        row = self._row(arrival, arrival.first_seq, arrival.last_seq)
        await envelopes.insert_fork(self._connection, row)
        self._forked = True
        self._done.forks += 1

    def _accept(self, arrival: Arrival, first: int, last: int) -> None:
        """Apply the events of a new range, and log it."""
        for seq in range(first, last + 1):
            index = seq - arrival.first_seq
            raw = arrival.events[index]
            self._hashes[seq] = arrival.hashes[index]
            if self._poison:
                self._effects.reject(raw, self.lineage, seq, self._poison)
            else:
                self._effects.add(raw, self.lineage, seq, void=self._state.void)
        self._done.events += last - first + 1
        self._effects.log.append(self._row(arrival, first, last))

    async def _advance(self) -> dict[str, Any]:
        admission = self._admission
        wm_hash = self._hashes.get(admission.wm) or self._state.wm_hash
        if admission.wm != self._state.wm and admission.wm not in self._hashes:
            wm_hash = await envelopes.hash_at(self._connection, self.lineage, admission.wm)
        self._done.receipts[self.lineage] = Receipt(
            epoch=self.lineage.epoch,
            wm=admission.wm,
            wm_hash=wm_hash.hex() if wm_hash else None,
            gaps=admission.gaps[:GAPS_MAX],
            durable_wm=self._state.durable_wm,
            rotate_after=self._state.newest_epoch if self._forked else None,
        )
        return self._key() | {
            "wm": admission.wm,
            "wm_hash": wm_hash.hex() if wm_hash else None,
            "forked": self._forked,
            "snapshot_seq": self._effects.snapshots.get(self.lineage),
        }

    def _row(self, arrival: Arrival, first: int, last: int) -> dict[str, Any]:
        part = slice(first - arrival.first_seq, last - arrival.first_seq + 1)
        return self._key() | {
            "first_seq": first,
            "last_seq": last,
            "hashes": b"".join(arrival.hashes[part]),
            "body": as_array(arrival.events[part]),
        }

    def _key(self) -> dict[str, Any]:
        return {"tenant": self.lineage.tenant, "instance": self.lineage.instance, "epoch": self.lineage.epoch}


def _post_key(arrival: Arrival) -> PostKey:
    return (arrival.sender.tenant, arrival.sender.instance, arrival.post)


def _letter_row(letter: DeadLetter) -> dict[str, Any]:
    lineage = letter.lineage
    return {
        "tenant": lineage.tenant if lineage else None,
        "instance": lineage.instance if lineage else None,
        "epoch": lineage.epoch if lineage else None,
        "subject": _storable(letter.subject),
        "seq": letter.seq,
        "body": letter.body,
        "error": _storable(letter.error[:DEAD_LETTER_REASON_MAX]),
    }


def _storable(text: str) -> str:
    """PostgreSQL keeps no NUL, but a sender may put one into a subject, or into what an error message quotes."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def as_array(events: Sequence[Raw]) -> bytes:
    """JSON array of events, each byte for byte as it was sent."""
    return b"[" + b",".join(bytes(event) for event in events) + b"]"
