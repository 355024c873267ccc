"""How soon the fleet hears of one changed file in a tree of 10,000: scanned, mined, merged into the counts, published.

A whole instance does it, each step a job of its queue.

The files are real ones: the standard library, the installed packages, and whatever else the corpora hold. Published
means that the broker has stored it and a plain subscriber heard it.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import nats
from nats.aio.msg import Msg

from bench.corpora import corpus, languages
from bench.report import print_expectation, print_machine
from bench.servers import nats_server, postgres
from instance.analysis.languages import language_of
from schemas import subjects
from schemas.subjects import Topic
from shared.bus import settled
from tests.support.daemons import Member, hub, member

FILES: Final = 10_000
ROUNDS: Final = 9
SECONDS_MAX: Final = 1.0
CHANGED: Final = "package0/changed.py"
SOURCE: Final = """
import logging

logger = logging.getLogger(__name__)


def check(value):
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError("no string")
    return value


if __name__ == "__main__":
    main()
"""
"""Habits that every large tree has, so that their counts change with each round."""


def main() -> None:
    """Print the times."""
    asyncio.run(_main())


async def _main() -> None:
    print_machine()
    with tempfile.TemporaryDirectory() as directory, postgres() as database, nats_server() as broker:
        root = Path(directory)
        print(_plant(root))
        async with hub(broker.url, database.dsn("hub")), member(broker.url, database.dsn("spoke"), root) as sender:
            seconds = await _changes(sender, broker.url, root)
    median = statistics.median(seconds)
    print(f"changed until heard: median {median:.2f} s, {min(seconds):.2f} to {max(seconds):.2f}")
    met = median < SECONDS_MAX
    print_expectation(f"one changed file heard after {median:.2f} s, expected < {SECONDS_MAX} s", met=met)


async def _changes(sender: Member, url: str, root: Path) -> list[float]:
    """Study everything, then change one file after another; returns seconds from the change to the first word."""
    started_at = time.perf_counter()
    await sender.study()
    await sender.reaches("SELECT count(*) FROM outbox WHERE confirmed_at IS NULL", 0, timeout_seconds=300)
    events = await sender.value("SELECT head FROM uplink")
    print(f"studied and published for the first time in {time.perf_counter() - started_at:.0f} s: {events} events")
    heard = asyncio.Event()

    async def hear(_message: Msg) -> None:
        heard.set()

    listener = await nats.connect(url)
    await listener.subscribe(subjects.learned_public(Topic("code", "pattern")), cb=hear)
    await settled(listener)
    seconds = []
    for number in range(ROUNDS):
        (root / CHANGED).write_text(SOURCE * (number + 1))
        heard.clear()
        started_at = time.perf_counter()
        studying = asyncio.create_task(sender.study())
        async with asyncio.timeout(60):
            await heard.wait()
        seconds.append(time.perf_counter() - started_at)
        await studying
    await listener.close()
    return seconds


def _plant(root: Path) -> str:
    """Copy real files, side by side in folders of a hundred, below `root`."""
    count = size = 0
    for number, path in enumerate(islice(_real_files(), FILES)):
        folder = root / f"package{number // 100}"
        folder.mkdir(exist_ok=True)
        copied = shutil.copyfile(path, folder / f"module{number}{path.suffix}")
        count, size = number + 1, size + copied.stat().st_size
    return f"{count:,} real files, {size / 1e6:.0f} MB"


def _real_files() -> Iterator[Path]:
    yield from _sources(Path(sysconfig.get_path("stdlib")))
    yield from _sources(Path(sysconfig.get_path("purelib")))
    for language in languages():
        for source in corpus(language):
            yield from _sources(source.root)


def _sources(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if language_of(path.name) is not None and path.is_file())
