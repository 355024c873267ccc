"""The HTTP server of a daemon, in the daemon's own event loop.

Several processes of one instance may run on one machine with the same settings. A port that they all may have belongs
to whichever came first; the others wait for it (`waits`), as whatever holds it may be one of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import Any, Final

import structlog
import uvicorn
from starlette.applications import Starlette

from shared.errors import AlreadyRunningError, ConfigurationError
from shared.service import Service
from shared.web.connection import Connection

log = structlog.get_logger(__name__)

GRACE_SECONDS: Final = 0.5
"""How long requests that are being answered may still take when it stops."""

LOOK_SECONDS: Final = 5.0
"""How often who waits looks whether the port is free."""

CONNECTIONS_MAX: Final = 1_000
"""At once; who comes then is answered 503."""

_BACKLOG: Final = 128
_FAREWELL_SECONDS: Final = 0.2


class WebServer(Service):
    """Serves an application on a port; stopping it takes less than a second, whoever is connected."""

    def __init__(
        self,
        application: Starlette,
        host: str,
        port: int,
        *,
        name: str = "http",
        setting: str = "http_port",
        waits: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        self.port = port
        """0: any free one, known once it listens."""
        self.closing = asyncio.Event()
        """Set when it stops, also as `application.state.closing`: streams end then."""
        self._application = application
        self._host = host
        self._setting = setting
        self._waits = waits
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        application.state.closing = self.closing

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._server.server_state.connections) if self._server is not None else 0

    async def open(self) -> None:
        """Begin to listen. A port that somebody has is an `AlreadyRunningError`, unless it may be waited for."""
        self.closing.clear()
        try:
            await self._listen()
        except AlreadyRunningError as error:
            if not self._waits:
                raise
            log.warning("nobody is answered here yet", service=self.name, reason=str(error))

    async def run(self) -> None:
        """Wait for the port; then serve."""
        while self._serving is None:
            await asyncio.sleep(LOOK_SECONDS)
            with contextlib.suppress(AlreadyRunningError):
                await self._listen()
        await asyncio.shield(self._serving)

    async def close(self) -> None:
        """Answer who is being answered, and listen no more."""
        self.closing.set()
        server, serving, self._server, self._serving = self._server, self._serving, None, None
        if server is None or serving is None:
            return
        server.should_exit = True
        await asyncio.wait({serving})
        if server.server_state.tasks:  # cancelled by now: they still say so to who waits
            await asyncio.wait(server.server_state.tasks, timeout=_FAREWELL_SECONDS)

    async def _listen(self) -> None:
        listening = self._bound()
        self.port = listening.getsockname()[1]
        self._server = _Server(self._application)
        self._serving = asyncio.create_task(self._server.serve([listening]), name=f"{self.name}-server")
        await self._server.ready.wait()
        log.info("answers", service=self.name, url=f"http://{self._host}:{self.port}")

    def _bound(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            listening = socket.create_server((self._host, self.port), family=family, backlog=_BACKLOG)
        except OSError as error:
            where = f"{self._setting}: port {self.port} of {self._host}"
            if error.errno == errno.EADDRINUSE:
                raise AlreadyRunningError(f"{where} is taken; name another one, or 0 for any") from error
            raise ConfigurationError(f"{where} cannot be listened on ({error.strerror})") from error
        # Head and body are written apart: else the second waits 40 ms until who asked has acknowledged the first.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening


class _Server(uvicorn.Server):
    """One that leaves signals and logging to the daemon it is part of, and says when it listens."""

    def __init__(self, application: Starlette) -> None:
        config = uvicorn.Config(
            application,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_MAX,
        )
        config.timeout_graceful_shutdown = GRACE_SECONDS  # type: ignore[assignment]  # it is waited for as it is
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    def capture_signals(self) -> contextlib.AbstractContextManager[Any]:  # type: ignore[override]
        return contextlib.nullcontext()
