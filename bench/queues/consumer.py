"""A process that works; it says `ready`, begins at a line on its standard input, and ends when that ends.

Its handler notes the start of the job and does nothing else; with `--hang` the first start of job 0 never ends.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from bench.queues.board import Board
from bench.queues.contender import Handler, Patience, contender, run


def main() -> None:
    """Work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("where", help="module:class of the contender")
    parser.add_argument("url", help="libpq URL of the database")
    parser.add_argument("board", type=Path)
    parser.add_argument("--limit", type=int, required=True)
    parser.add_argument("--dead-seconds", type=float)
    parser.add_argument("--beat-seconds", type=float)
    parser.add_argument("--hang", action="store_true")
    run(_main(parser.parse_args()))


async def _main(arguments: argparse.Namespace) -> None:
    patience = Patience(arguments.dead_seconds, arguments.beat_seconds) if arguments.dead_seconds else None
    queue = contender(arguments.where, arguments.url)
    await queue.open()
    handler = _handler(Board(arguments.board), hangs=arguments.hang)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    working = asyncio.create_task(queue.work(handler, arguments.limit, patience))
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait({working, ended}, return_when=asyncio.FIRST_COMPLETED)
    working.cancel()
    await asyncio.wait({working})
    if not working.cancelled():
        working.result()  # why it ended by itself


def _handler(board: Board, *, hangs: bool) -> Handler:
    async def note(number: int) -> None:
        if board.note(number) == 1 and hangs and number == 0:
            await asyncio.Event().wait()

    return note


if __name__ == "__main__":
    main()
