"""The supervised connection to NATS.

nats-py reconnects by itself, but an authorization violation or an expired credential closes its client for ever
(nats.py#1019, #999): then a new client is built, and subscriptions are made again on it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from shared.errors import ConfigurationError, UnreachableError
from shared.metrics import Metrics
from shared.passport import NO_PASSPORT, Passport, client_for, is_refusal
from shared.service import Service, end_all

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 2
PING_SECONDS = 20
PINGS_OUTSTANDING_MAX = 2
REBUILD_SECONDS_MIN = 0.25
REBUILD_SECONDS_MAX = 10.0
DRAIN_SECONDS = 2
HANDLERS_MAX = 64
_INBOXES = "_INBOX."

Handler = Callable[[Msg], Awaitable[None]]
Callback = Callable[[], Awaitable[None]]


@dataclass
class _Subscription:
    subject: str
    handler: Handler
    queue: str
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HANDLERS_MAX))


class Bus(Service):
    """One connection a daemon. Starting it does not wait for a server: `connected` tells when there is one."""

    name = "bus"

    def __init__(self, servers: list[str], *, client_name: str, inbox_prefix: str, metrics: Metrics,
                 passport: Passport = NO_PASSPORT) -> None:  # fmt: skip
        super().__init__()
        self.connected = asyncio.Event()
        self._servers = servers
        self._options: dict[str, Any] = {"name": client_name, "inbox_prefix": inbox_prefix}
        self._passport = passport
        self._metrics = metrics
        self._client = Client()
        self._closed = asyncio.Event()
        self._subscriptions: list[_Subscription] = []
        self._on_connect: list[Callback] = []
        self._on_disconnect: list[Callable[[], None]] = []
        self._handlers: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._refused = False

    def subscribe(self, subject: str, handler: Handler, *, queue: str = "") -> None:
        """Have `handler` called for each message, at most 64 at once; to be said before the bus starts."""
        self._subscriptions.append(_Subscription(subject, handler, queue))

    def on_connect(self, callback: Callback) -> None:
        """Have `callback` called after every connect and reconnect."""
        self._on_connect.append(callback)

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        """Have `callback` called as soon as the connection is lost."""
        self._on_disconnect.append(callback)

    @property
    def metrics(self) -> Metrics:
        """What this process counts."""
        return self._metrics

    @property
    def client(self) -> Client:
        """The connected client; raises `UnreachableError` when there is none."""
        if not self._client.is_connected:
            raise UnreachableError(f"NATS at {', '.join(self._servers)} does not answer; check NATS_URL")
        return self._client

    def jetstream(self, timeout_seconds: float = 5.0) -> JetStreamContext:
        """Return a context for administration, every request bounded by the timeout."""
        return self.client.jetstream(timeout=timeout_seconds)

    async def hint(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> bool:
        """Publish without any promise (core NATS); False when there is no connection."""
        try:
            await self.client.publish(subject, payload, headers=headers)
        except (UnreachableError, nats.errors.Error):
            return False
        return True

    async def request(self, subject: str, payload: bytes, timeout_seconds: float = 5.0) -> bytes:
        """Ask and wait for the answer; nobody there, or no answer in time, is an `UnreachableError`."""
        try:
            reply = await self.client.request(subject, payload, timeout=timeout_seconds)
        except nats.errors.NoRespondersError as error:
            raise UnreachableError(f"nobody answers on {subject}; is centralcloud running?") from error
        except (nats.errors.Error, TimeoutError) as error:
            raise UnreachableError(f"no answer on {subject} within {timeout_seconds:g} s ({error})") from error
        return reply.data

    async def open(self) -> None:
        """Look at the credentials: a wrong path is told at once, and not by a daemon that waits for ever."""
        self._passport.options()
        self._passport.require_inbox(self._options["inbox_prefix"])

    async def run(self) -> None:
        """Connect, and build a new client whenever one has closed for good."""
        pause = REBUILD_SECONDS_MIN
        while True:
            try:
                await self._connect()
                pause = REBUILD_SECONDS_MIN
                await self._closed.wait()
                log.warning("NATS client closed for good; building a new one")
            except (nats.errors.Error, OSError, TimeoutError) as error:
                log.debug("NATS not reached", servers=self._servers, error=str(error) or type(error).__name__)
            except ConfigurationError as error:
                log.warning("credentials cannot be read now; trying again", reason=str(error))
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(pause * 2, REBUILD_SECONDS_MAX)

    async def close(self) -> None:
        """Let handlers finish, flush what is pending, and disconnect."""
        await end_all(*self._handlers)
        self.connected.clear()
        try:
            await asyncio.wait_for(self._client.drain(), DRAIN_SECONDS)
        except (nats.errors.Error, TimeoutError, OSError):
            await _leave(self._client)

    async def _connect(self) -> None:
        self._closed.clear()
        self._client = client = client_for(self._passport, self._servers)
        await self._reach(client)
        for subscription in self._subscriptions:
            await client.subscribe(subscription.subject, queue=subscription.queue, cb=self._dispatch(subscription))
        await settled(client)
        await self._announce_connected()

    async def _reach(self, client: Client) -> None:
        """Connect with the credentials of this moment.

        Who is refused must come back with what is in the file by then; nats-py, told to reconnect, would for ever try
        again with what it has.
        """
        try:
            await client.connect(
                self._servers,
                error_cb=self._error,
                disconnected_cb=self._disconnected,
                reconnected_cb=self._reconnected,
                closed_cb=self._client_closed,
                connect_timeout=CONNECT_SECONDS,
                reconnect_time_wait=1,
                max_reconnect_attempts=-1,
                allow_reconnect=False,
                ping_interval=PING_SECONDS,
                max_outstanding_pings=PINGS_OUTSTANDING_MAX,
                drain_timeout=DRAIN_SECONDS,
                pending_size=-1,  # while disconnected a publish fails at once: the outbox is the buffer
                **self._options,
                **self._passport.options(),
            )
        except BaseException:
            await _leave(client)
            raise
        client.options["allow_reconnect"] = True
        self._refused = False

    def _dispatch(self, subscription: _Subscription) -> Handler:
        """Callbacks of one subscription run strictly one after another (nats.py#447): give each its own task."""

        async def dispatch(message: Msg) -> None:
            await subscription.slots.acquire()
            task = asyncio.create_task(self._handle(subscription, message))
            self._handlers.add(task)
            task.add_done_callback(self._handlers.discard)

        return dispatch

    async def _handle(self, subscription: _Subscription, message: Msg) -> None:
        try:
            if message.reply and not message.reply.startswith(_INBOXES):
                # We may say what who asks may not: the answer must not become a word of ours to others.
                log.warning("a question whose answer would go to others is dropped", subject=message.subject)
                return
            await subscription.handler(message)
        except Exception:
            log.exception("handler failed", subject=message.subject)
        finally:
            subscription.slots.release()

    async def _announce_connected(self) -> None:
        self._metrics.nats_reconnects.inc()
        self.connected.set()
        for callback in self._on_connect:
            await callback()

    async def _reconnected(self) -> None:
        log.info("NATS reconnected")
        await self._announce_connected()

    async def _disconnected(self) -> None:
        self.connected.clear()
        for callback in self._on_disconnect:
            callback()

    async def _client_closed(self) -> None:
        self.connected.clear()
        self._closed.set()

    async def _error(self, error: Exception) -> None:
        kind = type(error).__name__
        self._metrics.nats_errors.labels(kind).inc()
        log.debug("NATS error", kind=kind, error=str(error))
        if "permissions violation" in str(error).lower():
            log.error("NATS refused a subject; check this instance's permissions", error=str(error))
        if is_refusal(error):
            self._replace_client(error)

    def _replace_client(self, error: Exception) -> None:
        """Give up a client that reconnects with credentials or certificates that no longer hold."""
        if not self._refused:
            log.error("NATS is refused, or refuses us; trying again with what the files say then", reason=str(error))
        self._refused = True
        task = asyncio.create_task(self._leave_for_good(self._client))  # not here: it would cancel who calls us
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _leave_for_good(self, client: Client) -> None:
        await _leave(client)
        if client is self._client:
            await self._client_closed()


async def _leave(client: Client) -> None:
    """Close a client, which after a TLS handshake that failed waits for ever for the end of a connection."""
    try:
        await asyncio.wait_for(client.close(), DRAIN_SECONDS)
    except TimeoutError:
        log.debug("NATS client left, its connection was never made")


async def settled(client: Client) -> None:
    """Return when the server has seen everything said on this connection so far.

    One `flush` does not tell: its PING overtakes what still waits for the client's flusher. Only what comes back from
    the first says that the flusher has run.
    """
    await client.flush()
    await client.flush()
