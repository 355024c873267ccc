"""The connections of a process of centralcloud to its database, kept apart by what they are for."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.config import CentralcloudSettings
from centralcloud.store.sessions import limit_idle_transactions
from shared.connections import http_pool, work_pool
from shared.database import connect_engine
from shared.errors import ConfigurationError
from shared.measuring import watch_pool
from shared.metrics import Metrics


class Engines(NamedTuple):
    """One for work, one for what is asked over HTTP, and one for what of that may be read from a replica."""

    work: AsyncEngine
    web: AsyncEngine
    reads: AsyncEngine | None

    def watch(self, metrics: Metrics) -> None:
        """Show from now on how many connections there are."""
        for name, engine in self._asdict().items():
            if engine is not None:
                watch_pool(metrics, name, engine)

    async def dispose(self) -> None:
        """Close them all."""
        for engine in self:
            if engine is not None:
                await engine.dispose()


def connect_engines(url: str, settings: CentralcloudSettings) -> Engines:
    """Make them; no connection is opened yet."""
    work = connect_engine(url, application="centralcloud", pool=work_pool(settings))
    web = connect_engine(url, application="centralcloud web", pool=http_pool(settings))
    reads = None if settings.database_read_url is None else _on_replica(settings.database_read_url, settings)
    for engine in (work, web, reads):
        if engine is not None:
            limit_idle_transactions(engine)
    return Engines(work, web, reads)


def _on_replica(url: str, settings: CentralcloudSettings) -> AsyncEngine:
    try:
        pool = http_pool(settings)
        return connect_engine(url, application="centralcloud reads", pool=pool, server="prefer-standby")
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace("DATABASE_URL", "database_read_url")) from error
