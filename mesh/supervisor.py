"""Keeps the parts of a mesh running: starts them together, brings back what ends, stops them in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mesh.parts import Part
from mesh.status import MeshStatus, PartStatus, remove_status, write_status
from shared.embedded.children import Child
from shared.embedded.processes import this_process
from shared.errors import FlockloreError

RESTART_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
HEALTHY_SECONDS = 60.0
_POLL_SECONDS = 0.1


class Kept:
    """A part and what happened to it. Times are seconds since the epoch."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.since: float | None = None
        self.ready = False
        self.restarts = 0
        self.last_end: str | None = None
        self._failures_in_row = 0

    def started(self) -> None:
        """Note that its process runs."""
        self.since = time.time()

    def ended(self, how: str, ran_seconds: float) -> float:
        """Note that it ended; return the seconds to wait before the next start."""
        self.since, self.ready, self.last_end = None, False, how
        self.restarts += 1
        self._failures_in_row = 1 if ran_seconds >= HEALTHY_SECONDS else self._failures_in_row + 1
        return RESTART_SECONDS[min(self._failures_in_row, len(RESTART_SECONDS)) - 1]

    def status(self) -> PartStatus:
        """Describe it for the status file."""
        child = self.part.child
        return PartStatus(
            name=self.part.name,
            process=child.identity if child is not None and self.since is not None else None,
            since=self.since,
            ready=self.ready,
            restarts=self.restarts,
            last_end=self.last_end,
            address=self.part.address,
            log=str(self.part.log),
        )


class Supervisor:
    """Runs groups of parts. All are started together; they are stopped group by group, the last one first."""

    def __init__(self, state: Path, groups: Sequence[Sequence[Part]], report: Callable[[str], None]) -> None:
        self.all_ready = asyncio.Event()
        self._state = state
        self._groups = groups
        self._kept = [Kept(part) for group in groups for part in group]
        self._report = report
        self._since = time.time()

    def status(self) -> MeshStatus:
        """Describe the mesh as it is now."""
        parts = [kept.status() for kept in self._kept]
        return MeshStatus(supervisor=this_process(), since=self._since, state=str(self._state), parts=parts)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep all parts running until `stop` is set, then stop them.

        Raises what a part says at its first start when it cannot work at all; the others are stopped then, too.
        """
        keepers = [asyncio.create_task(self._keep(kept, stop), name=kept.part.name) for kept in self._kept]
        try:
            await asyncio.gather(*keepers)
        finally:
            stop.set()
            await asyncio.wait(keepers)
            for group in reversed(self._groups):
                await asyncio.gather(*(asyncio.to_thread(part.stop) for part in group))
            remove_status(self._state)

    def kill(self) -> None:
        """Kill everything, now; the servers recover at their next start."""
        for kept in self._kept:
            if kept.part.child is not None:
                kept.part.child.kill()

    async def _keep(self, kept: Kept, stop: asyncio.Event) -> None:
        while not stop.is_set():
            began = time.monotonic()
            how = await self._run_once(kept, stop)
            if stop.is_set():
                return
            pause = kept.ended(how, time.monotonic() - began)
            self._note(f"{kept.part.name} {how}; starting it again in {pause:g} s, see {kept.part.log}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def _run_once(self, kept: Kept, stop: asyncio.Event) -> str:
        """Start the part and watch it until it ends; return how."""
        began = time.monotonic()
        try:
            child = await self._started(kept.part)
        except (FlockloreError, OSError) as error:
            if kept.restarts == 0:
                raise
            return f"did not start: {error}"
        kept.started()
        self._note()
        while (code := child.poll()) is None and not stop.is_set():
            if not kept.ready and kept.part.ready():
                kept.ready = True
                self._note(f"{kept.part.name} ready in {time.monotonic() - began:.1f} s")
            await asyncio.sleep(_POLL_SECONDS)
        return "was stopped" if code is None else _how(code)

    async def _started(self, part: Part) -> Child:
        if part.child is None or part.child.poll() is not None:
            await asyncio.to_thread(part.start)
        if part.child is None:
            raise RuntimeError(f"{part.name} has started without a process")
        return part.child

    def _note(self, line: str | None = None) -> None:
        if line:
            self._report(line)
        try:
            write_status(self._state, self.status())
        except OSError as error:
            # A full disk must not end what still runs.
            self._report(f"cannot say in {self._state} what runs: {error}")
        if all(kept.ready for kept in self._kept):
            self.all_ready.set()


def _how(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
