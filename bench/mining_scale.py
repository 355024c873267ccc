"""What mining a large tree takes of the machine: memory, and how much time a second process saves.

The product's own miner does it, into a real database; each round is a process of its own, so that its memory is too.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.corpora import corpus
from bench.report import print_expectation, print_machine
from bench.servers import spoke_database
from instance.agents import miner
from instance.agents.manifests import own_modules_of
from instance.agents.orders import Part
from instance.analysis.workspace import walk
from instance.store import workspace
from shared.database import transaction
from shared.pool import CpuProcesses

BYTES: Final = 20_000_000
MEGABYTES_MAX: Final = 500
WALL_SHARE_MAX: Final = 0.65
_SAMPLE_SECONDS: Final = 0.1
_LANGUAGES: Final = ("python", "go", "java", "typescript")


def main() -> None:
    """Print the table, or, with arguments, run one round of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", nargs="?", type=Path)
    parser.add_argument("--workers", type=int, default=miner.WORKERS)
    arguments = parser.parse_args()
    if arguments.tree is not None:
        print(f"{asyncio.run(_mine(arguments.tree, arguments.workers)):.1f}")
        return
    print_machine()
    with tempfile.TemporaryDirectory() as directory:
        _collect(Path(directory))
        (alone, memory_alone), (together, memory) = (_round(Path(directory), workers) for workers in (1, 2))
    print(f"{'processes':>9} {'wall s':>7} {'MB':>6}")
    print(f"{1:9} {alone:7.1f} {memory_alone:6.0f}")
    print(f"{2:9} {together:7.1f} {memory:6.0f}")
    print_expectation(
        f"{memory:.0f} MB for {BYTES / 1e6:.0f} MB of source, expected < {MEGABYTES_MAX}", met=memory < MEGABYTES_MAX
    )
    print_expectation(
        f"two processes take {together / alone:.2f} of the time of one, expected <= {WALL_SHARE_MAX}",
        met=together / alone <= WALL_SHARE_MAX,
    )


def _collect(root: Path) -> None:
    """Copy repositories until there is enough source."""
    size = 0
    for language in _LANGUAGES:
        for source in corpus(language):
            if size > BYTES:
                return
            shutil.copytree(source.root, root / source.name)
            size += sum(file.size_bytes for file in walk(root / source.name).files)


def _round(tree: Path, workers: int) -> tuple[float, float]:
    """Return wall seconds of mining, and the peak of what the miner and its processes have in memory, in MB."""
    command = [
        sys.executable,
        "-c",
        "from bench.mining_scale import main; main()",
        str(tree),
        "--workers",
        str(workers),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(_resident_megabytes(pid) for pid in _family(process.pid)))
        time.sleep(_SAMPLE_SECONDS)
    assert process.stdout is not None
    return float(process.stdout.read().split()[-1]), peak


def _family(pid: int) -> list[int]:
    """Return a process and what it started in Python: not the database."""
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [pid, *(child for one in children for child in _family(one) if _is_python(child))]
    except OSError:
        return []


def _is_python(pid: int) -> bool:
    try:
        return "python" in Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return False


def _resident_megabytes(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def _mine(tree: Path, workers: int) -> float:
    async with spoke_database() as engine:
        async with transaction(engine) as connection:
            repository = await workspace.open_repository(connection, tree, None)
        found = walk(tree)
        started = time.monotonic()
        pool, slots = CpuProcesses(workers), asyncio.Semaphore(workers + 1)
        own = own_modules_of(found)
        news = await miner.look(engine, repository, found, name="", begun=0.0)

        async def mine(part: Part) -> None:
            async with slots:
                await miner.mine(engine, pool, repository, part, own)

        async with asyncio.TaskGroup() as group:
            for part in news.parts:
                group.create_task(mine(part))
        await pool.close()
        return time.monotonic() - started
