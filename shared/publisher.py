"""Publishing to JetStream with many messages in flight.

`publish_async` of nats-py leaks: after a kill of the server its futures never resolve. Here every message has a
deadline, and all pending ones fail at once when the connection is lost.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Final

import msgspec
import nats.errors
from msgspec import Struct
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.bus import Bus
from shared.errors import TransientError, UnreachableError

WINDOW: Final = 16
"""Messages in flight; with envelopes more buys nothing (measured)."""


class PubAckError(Struct, frozen=True):
    """Why JetStream did not store a message."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class PubAck(Struct, frozen=True):
    """What JetStream answers to a publish."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: PubAckError | None = None


class WindowPublisher:
    """At most `window` unacknowledged messages; create it before the bus starts."""

    def __init__(self, bus: Bus, *, window: int = WINDOW) -> None:
        self._bus = bus
        self._slots = asyncio.Semaphore(window)
        self._tokens = itertools.count()
        self._pending: dict[str, asyncio.Future[PubAck]] = {}
        self._client: Client | None = None
        self._inbox = ""
        bus.on_disconnect(self._fail_all)

    @property
    def in_flight(self) -> int:
        """Messages published and not yet acknowledged."""
        return len(self._pending)

    async def publish(
        self, subject: str, payload: bytes, headers: dict[str, str], timeout_seconds: float = 10.0
    ) -> PubAck:
        """Publish and wait for the PubAck; `UnreachableError` when none came, `TransientError` when refused."""
        async with self._slots:
            client = self._bus.client
            await self._listen(client)
            token = str(next(self._tokens))
            acknowledged: asyncio.Future[PubAck] = asyncio.get_running_loop().create_future()
            self._pending[token] = acknowledged
            try:
                await client.publish(subject, payload, reply=f"{self._inbox}.{token}", headers=headers)
                ack = await asyncio.wait_for(acknowledged, timeout_seconds)
            except (nats.errors.Error, TimeoutError, OSError) as error:
                raise UnreachableError(f"no acknowledgement for {subject}: {str(error) or 'timeout'}") from error
            finally:
                self._pending.pop(token, None)
        if ack.error is not None:
            raise TransientError(f"the stream refused {subject}: {ack.error.description} ({ack.error.err_code})")
        return ack

    async def _listen(self, client: Client) -> None:
        """One inbox for all acknowledgements, made again on a new client."""
        if self._client is client:
            return
        self._client = client
        self._inbox = client.new_inbox()
        await client.subscribe(f"{self._inbox}.*", cb=self._acknowledged)

    async def _acknowledged(self, message: Msg) -> None:
        future = self._pending.get(message.subject.rpartition(".")[2])
        if future is None or future.done():
            return
        if message.headers and message.headers.get("Status") == "503":
            future.set_exception(UnreachableError("there is no stream; centralcloud makes it when it starts"))
            return
        try:
            future.set_result(msgspec.json.decode(message.data, type=PubAck))
        except msgspec.MsgspecError as error:
            future.set_exception(UnreachableError(f"unreadable acknowledgement: {error}"))

    def _fail_all(self) -> None:
        for future in self._pending.values():
            if not future.done():
                future.set_exception(UnreachableError("the connection to NATS was lost"))
