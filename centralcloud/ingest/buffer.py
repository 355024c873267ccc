"""What was fetched and waits to be committed: a queue for each instance, emptied in turns. Pure.

An instance that floods fills its own queue; a batch takes one envelope of each instance after the other, so that the
single event of another goes with the next batch. What does not fit is given back to the stream, which keeps it: the
last of whoever holds most. Who is above its quota rests: a little of it is kept here until its time comes, and the rest
is left to its sender, who hears of no receipt and sends it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from nats.aio.msg import Msg

from centralcloud.ingest.arrivals import Arrival, DeadLetter, read
from centralcloud.ingest.quota import Quota

BYTES_MAX: Final = 32 * 1024**2
"""About 50,000 events, as they come in envelopes of a hundred."""

BATCH_EVENTS_MAX: Final = 1000
"""An envelope is never divided, so a batch may end below it, and one envelope is always taken."""

RESTING_MESSAGES_MAX: Final = 16
"""So much of an instance above its quota is kept here."""


@dataclass(frozen=True)
class Held:
    """One message, read, and not yet committed."""

    message: Msg
    found: Arrival | DeadLetter

    @classmethod
    def of(cls, message: Msg) -> Held:
        """Read a message."""
        return cls(message, read(message.subject, message.data, message.headers))

    @property
    def events(self) -> int:
        """How many it counts for; what cannot be read counts for one."""
        return len(self.found.events) if isinstance(self.found, Arrival) else 1

    @property
    def comes_again(self) -> bool:
        """Whether its sender sends it again until it has a receipt; a post was answered, and is nobody's any more."""
        return isinstance(self.found, Arrival) and not self.found.post

    @property
    def bytes(self) -> int:
        """Size of the message."""
        return len(self.message.data)

    @property
    def owner(self) -> str:
        """Whose turn it is taken in: tenant and instance, or the subject where it does not name them."""
        return ".".join(self.message.subject.rsplit(".", 2)[-2:])


class FairBuffer:
    """Queues by instance, and whose turn it is."""

    def __init__(self, bytes_max: int = BYTES_MAX, quota: Quota | None = None) -> None:
        self.events = 0
        """How many wait."""
        self._messages = 0
        self._bytes = 0
        self._bytes_max = bytes_max
        self._quota = Quota() if quota is None else quota
        self._queues: dict[str, deque[Held]] = {}
        self._sizes: dict[str, int] = {}
        self._fresh: dict[str, None] = {}
        self._turns: dict[str, None] = {}
        self._resting: dict[str, None] = {}
        self._served: set[str] = set()

    def __iter__(self) -> Iterator[Held]:
        for queue in self._queues.values():
            yield from queue

    @property
    def owners(self) -> int:
        """How many instances have something waiting."""
        return len(self._queues)

    def is_too_much(self, held: Held) -> bool:
        """Whether it is to be left to its sender: enough waits already of an instance that is above its quota."""
        waiting = len(self._queues.get(held.owner, ()))
        return waiting >= RESTING_MESSAGES_MAX and held.comes_again and self._quota.wait_seconds(held.owner) > 0

    def put(self, held: Held) -> list[Held]:
        """Add a message behind those of its instance; returns what must be given back to make room.

        One message is always held, however large.
        """
        owner = held.owner
        if owner not in self._queues:
            self._queues[owner] = deque()
            (self._turns if owner in self._served else self._fresh)[owner] = None
        self._queues[owner].append(held)
        self._count(held, 1)
        given_back = []
        while self._bytes > self._bytes_max and self._messages > 1:
            longest = max(self._sizes, key=self._sizes.__getitem__)
            given_back.append(self._removed(longest, self._queues[longest].pop()))
        return given_back

    def take(self, events_max: int = BATCH_EVENTS_MAX) -> list[Held]:
        """Take the next batch, one message of each instance in turn; none while all that wait are above their quota.

        Who was in no queue and not in the last batch comes first: what is little does not wait for what is much.
        """
        batch: list[Held] = []
        events = 0
        self._wake()
        while self._fresh or self._turns:
            owner = next(iter(self._fresh or self._turns))
            if self._quota.wait_seconds(owner) > 0:
                self._leave(owner)
                self._resting[owner] = None
                continue
            if batch and events + self._queues[owner][0].events > events_max:
                break
            batch.append(self._removed(owner, self._queues[owner].popleft()))
            events += batch[-1].events
            self._quota.spend(owner, batch[-1].events)
            if owner in self._queues:
                self._leave(owner)
                self._turns[owner] = None
        self._served = {held.owner for held in batch}
        return batch

    def clear(self) -> list[Held]:
        """Take everything."""
        everything = list(self)
        for one in (self._queues, self._sizes, self._fresh, self._turns, self._resting):
            one.clear()
        self._bytes = self._messages = self.events = 0
        return everything

    def _removed(self, owner: str, held: Held) -> Held:
        self._count(held, -1)
        if not self._queues[owner]:
            del self._queues[owner], self._sizes[owner]
            self._leave(owner)
        return held

    def _wake(self) -> None:
        """Let those whose time has come have their turns again."""
        for owner in [owner for owner in self._resting if self._quota.wait_seconds(owner) <= 0]:
            self._leave(owner)
            self._turns[owner] = None

    def _leave(self, owner: str) -> None:
        for queue in (self._fresh, self._turns, self._resting):
            queue.pop(owner, None)

    def _count(self, held: Held, sign: int) -> None:
        self._messages += sign
        self.events += sign * held.events
        self._bytes += sign * held.bytes
        self._sizes[held.owner] = self._sizes.get(held.owner, 0) + sign * held.bytes
