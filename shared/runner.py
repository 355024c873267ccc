"""Running a daemon as a process: signals, readiness, exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import structlog
import uvloop

from shared.errors import Exit, FlockloreError
from shared.service import Service, run_services

log = structlog.get_logger(__name__)

Build = Callable[[], AbstractAsyncContextManager[Sequence[Service]]]


def run_daemon(build: Build, *, ready_file: str | None = None) -> Exit:
    """Run the services `build` yields until SIGTERM or Ctrl-C; a second signal ends the process at once."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(build, ready_file))
    except FlockloreError as error:
        log.error("stopped", reason=str(error))  # noqa: TRY400 - the message is for a person
        return error.exit_code
    except Exception:
        log.exception("stopped by a bug; please report it")
        return Exit.BUG


async def _serve(build: Build, ready_file: str | None) -> Exit:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    async with build() as services:
        await run_services([*services, _Readiness(ready_file)], stop)
    return Exit.OK


def _stop_on_signals(stop: asyncio.Event) -> None:
    def stop_or_quit() -> None:
        if stop.is_set():
            os._exit(Exit.FAILED)
        log.info("stopping; once more to stop at once")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_or_quit)


class _Readiness(Service):
    """Started last, stopped first: its file is there while everything else runs."""

    name = "readiness"

    def __init__(self, path: str | None) -> None:
        super().__init__()
        self._path = Path(path) if path else None

    async def open(self) -> None:
        log.info("ready")
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(f"{os.getpid()}\n", encoding="ascii")

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        if self._path:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
