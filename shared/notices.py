"""Hints between the processes that share a database, by LISTEN and NOTIFY. Losing one loses nothing: all poll, too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import psycopg
import structlog
from psycopg import AsyncConnection, sql
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import libpq_parameters, transaction
from shared.errors import TransientError
from shared.service import Service, together

log = structlog.get_logger(__name__)

SPOKEN_SECONDS: Final = 0.2
"""What is said again within this time is said once."""

RETRY_SECONDS_MAX: Final = 5.0

_SAY = text("SELECT pg_notify(:channel, :payload)")

Heard = Callable[[str], None]


class Notices(Service):
    """Hears channels on a connection of its own, and says things without holding up who says them."""

    name = "notices"

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__()
        self._engine = engine
        self._heard: dict[str, Heard] = {}
        self._unsaid: set[tuple[str, str]] = set()
        self._speak = asyncio.Event()

    def on(self, channel: str, heard: Heard) -> None:
        """Have `heard` called with every payload, and with an empty one when some may have been missed.

        To be said before the service starts.
        """
        self._heard[channel] = heard

    def say(self, channel: str, payload: str = "") -> None:
        """Say something soon, to every process that listens, this one included."""
        self._unsaid.add((channel, payload))
        self._speak.set()

    async def run(self) -> None:
        """Hear and speak; a database that is away is waited for."""
        await together(self._hear(), self._say_all())

    async def _hear(self) -> None:
        pause = SPOKEN_SECONDS
        while True:
            try:
                async with await self._connect() as connection:
                    pause = SPOKEN_SECONDS
                    await self._listen(connection)
            except (psycopg.Error, OSError) as error:
                log.debug("nothing is heard for a moment", reason=str(error))
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_SECONDS_MAX)

    async def _connect(self) -> AsyncConnection[tuple[object, ...]]:
        told = libpq_parameters(self._engine.url) | {"application_name": "flocklore notices"}
        return await AsyncConnection.connect(**told, autocommit=True)

    async def _listen(self, connection: AsyncConnection[tuple[object, ...]]) -> None:
        for channel in self._heard:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        for heard in self._heard.values():
            heard("")
        async for notice in connection.notifies():
            self._heard[notice.channel](notice.payload)

    async def _say_all(self) -> None:
        while True:
            await self._speak.wait()
            self._speak.clear()
            said, self._unsaid = self._unsaid, set()
            try:
                async with transaction(self._engine) as connection:
                    await connection.execute(_SAY, [{"channel": name, "payload": payload} for name, payload in said])
            except TransientError as error:
                log.debug("nothing is said for a moment", reason=str(error))
            await asyncio.sleep(SPOKEN_SECONDS)


async def say(engine: AsyncEngine, channel: str, payload: str = "") -> None:
    """Say something now, from a process without the service."""
    async with transaction(engine) as connection:
        await connection.execute(_SAY, {"channel": channel, "payload": payload})
