"""The pool of connections to PostgreSQL: how many there may be, and how long each is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection

from shared.config import CONNECTIONS_MAX, POOL_OVERFLOW, POOL_SIZE, Settings
from shared.embedded.databases import POOL_PREFIX
from shared.errors import ConfigurationError

WAIT_SECONDS_MAX: Final = 30.0
"""How long work waits for a connection; who asks over HTTP waits no longer than the settings say."""

_LEAST: Final = f"{POOL_PREFIX}min_conns"
_MOST: Final = f"{POOL_PREFIX}max_conns"


class PoolLimits(NamedTuple):
    """`size` connections stay open once they are, `overflow` more are closed as soon as they are idle."""

    size: int = POOL_SIZE
    overflow: int = POOL_OVERFLOW
    wait_seconds: float = WAIT_SECONDS_MAX
    """Who would wait longer for one is refused."""

    def told_by(self, url: str) -> PoolLimits:
        """The same with what a URL says in its `pool_min_conns` and `pool_max_conns`, as other programs read it."""
        query = parse_qs(url.partition("?")[2])
        told = {name: query[name][-1] for name in (_LEAST, _MOST) if name in query}
        if not told:
            return self
        try:
            size = int(told.get(_LEAST, self.size))
            most = int(told.get(_MOST, max(size, self.size + self.overflow)))
        except ValueError:
            raise ConfigurationError(f"DATABASE_URL: {_LEAST} and {_MOST} are numbers") from None
        size = size if _LEAST in told else min(size, most)
        if not 1 <= size <= most <= CONNECTIONS_MAX:
            raise ConfigurationError(f"DATABASE_URL: write 1 <= {_LEAST} <= {_MOST} <= {CONNECTIONS_MAX}")
        return self._replace(size=size, overflow=most - size)


USUAL: Final = PoolLimits()


def work_pool(settings: Settings) -> PoolLimits:
    """What the work of a daemon may use; it waits for its turn."""
    return PoolLimits(settings.database_pool_size, settings.database_pool_overflow)


def http_pool(settings: Settings) -> PoolLimits:
    """What is asked over HTTP may use beside that; who would have to wait for long is asked to come again."""
    return work_pool(settings)._replace(wait_seconds=settings.database_wait_seconds)


class Connections(AsyncAdaptedQueuePool):
    """A pool that tells how many seconds each connection was waited for, also in vain."""

    on_wait: Callable[[float], None] = staticmethod(lambda _seconds: None)

    @property
    def connections_max(self) -> int:
        """How many there may be."""
        return self.size() + self._max_overflow

    def connect(self) -> PoolProxiedConnection:
        """Give a connection that answers."""
        began = time.perf_counter()
        try:
            return super().connect()
        finally:
            self.on_wait(time.perf_counter() - began)
