"""The HTTP server of an instance, in the daemon's own event loop.

Several processes of one instance may run on one machine with the same settings. The port belongs to whichever came
first; the others wait for it, as whatever holds it may be one of them.
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

log = structlog.get_logger(__name__)

ADDRESS: Final = "127.0.0.1"
GRACE_SECONDS: Final = 0.5
"""How long requests that are being answered may still take when it stops."""

LOOK_SECONDS: Final = 5.0
"""How often who waits looks whether the port is free."""

_FAREWELL_SECONDS: Final = 0.2


class Listener(Service):
    """Serves an application on a port of the loopback interface."""

    name = "otlp"

    def __init__(self, application: Starlette, port: int) -> None:
        super().__init__()
        self.port = port
        """0: any free one, known once it listens."""
        self._application = application
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to listen, unless somebody else does; `ConfigurationError` when nobody may."""
        try:
            await self._listen()
        except AlreadyRunningError as error:
            log.warning("nothing is received over OTLP yet", reason=str(error))

    async def run(self) -> None:
        """Wait for the port; then serve."""
        while self._serving is None:
            await asyncio.sleep(LOOK_SECONDS)
            with contextlib.suppress(AlreadyRunningError):
                await self._listen()
        await asyncio.shield(self._serving)

    async def close(self) -> None:
        """Answer who is being answered, and listen no more."""
        server, serving, self._server, self._serving = self._server, self._serving, None, None
        if server is None or serving is None:
            return
        server.should_exit = True
        await asyncio.wait({serving})
        if server.server_state.tasks:  # cancelled by now: they still say so to who waits
            await asyncio.wait(server.server_state.tasks, timeout=_FAREWELL_SECONDS)

    async def _listen(self) -> None:
        listening = _bound(self.port)
        self.port = listening.getsockname()[1]
        self._server = _Server(self._application)
        self._serving = asyncio.create_task(self._server.serve([listening]), name="otlp-server")
        await self._server.ready.wait()
        log.info("receives OTLP", url=f"http://{ADDRESS}:{self.port}")


class _Server(uvicorn.Server):
    """One that leaves signals and logging to the daemon it is part of, and says when it listens."""

    def __init__(self, application: Starlette) -> None:
        config = uvicorn.Config(
            application,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        config.timeout_graceful_shutdown = GRACE_SECONDS  # type: ignore[assignment]  # it is waited for as it is
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    def capture_signals(self) -> contextlib.AbstractContextManager[Any]:  # type: ignore[override]
        return contextlib.nullcontext()


def _bound(port: int) -> socket.socket:
    try:
        return socket.create_server((ADDRESS, port), backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise AlreadyRunningError(f"port {port} is taken; set otlp_port to another, or to none") from error
        raise ConfigurationError(f"otlp_port: cannot listen on port {port} ({error.strerror})") from error
