"""A process that enqueues: one command a line on its standard input, one JSON document a line as the answer."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench.queues.board import Board
from bench.queues.contender import Contender, contender, run

_PAUSE_SECONDS: Final = (0.005, 0.025)
_LOOK_SECONDS: Final = 0.0005
_START_SECONDS_MAX: Final = 60.0


def main() -> None:
    """Answer until the end of the input."""
    where, url, board = sys.argv[1:]
    run(_main(where, url, Board(Path(board))))


async def _main(where: str, url: str, board: Board) -> None:
    queue = contender(where, url)
    await queue.open()
    while line := await asyncio.to_thread(sys.stdin.readline):
        command, *numbers = line.split()
        answer = await _COMMANDS[command](queue, board, *map(int, numbers))
        print(json.dumps(answer), flush=True)


async def _install(queue: Contender, _: Board) -> None:
    await queue.install()


async def _fill(queue: Contender, _: Board, count: int) -> float:
    """Return the seconds it takes."""
    started_at = time.monotonic()
    await queue.enqueue_many(count)
    return time.monotonic() - started_at


async def _put(queue: Contender, _: Board, number: int) -> None:
    await queue.enqueue(number)


async def _unfinished(queue: Contender, _: Board) -> int:
    return await queue.unfinished()


async def _latency(queue: Contender, board: Board, first: int, count: int) -> list[tuple[float, float]]:
    """Enqueue one by one for an idle worker; returns the seconds of the call, and until the handler started."""
    chance = random.Random(first)  # noqa: S311 - so that no rhythm of a worker is hit
    measured: list[tuple[float, float]] = []
    for number in range(first, first + count):
        called_at = time.monotonic()
        await queue.enqueue(number)
        enqueued_at = time.monotonic()
        async with asyncio.timeout(_START_SECONDS_MAX):
            while not board.starts(number):  # noqa: ASYNC110 - another process starts it
                await asyncio.sleep(_LOOK_SECONDS)
        measured.append((enqueued_at - called_at, board.started_at(number) - called_at))
        await asyncio.sleep(chance.uniform(*_PAUSE_SECONDS))
    return measured


_COMMANDS: Final[dict[str, Any]] = {
    "install": _install,
    "fill": _fill,
    "put": _put,
    "unfinished": _unfinished,
    "latency": _latency,
}


if __name__ == "__main__":
    main()
