"""How long it takes to find that nothing changed in a tree of 10,000 files: the walk alone, and a study by an instance.

The walk compares what is on the disk with what is known in memory; a study does it with a real database, and has its
architect and its miner look at the result.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.report import print_expectation, print_machine
from bench.servers import spoke_database
from instance.agents.student import Student
from instance.analysis.workspace import changes, walk
from instance.config import InstanceSettings
from instance.speaker import enrol
from tests.support.direct import study_here

ROUNDS: Final = 5
FILES: Final = 10_000
FILES_PER_FOLDER: Final = 100
SECONDS_MAX: Final = 2.0


def main() -> None:
    """Print the times."""
    print_machine()
    print(f"{f'{FILES:,} files':36} {'median s':>9} {'min':>6} {'max':>6}")
    with _tree() as root:
        _print("unchanged, walk and compare", _walks(root))
        first, *again = asyncio.run(_studies(root))
    _print("new, studied by an instance", [first])
    _print("unchanged, studied by an instance", again)
    seconds = statistics.median(again)
    print_expectation(
        f"study of an unchanged tree {seconds:.2f} s, expected < {SECONDS_MAX} s", met=seconds < SECONDS_MAX
    )


def _walks(root: Path) -> list[float]:
    known = {file.path: stamp for file, stamp in changes(walk(root), {}).to_read}
    rounds = []
    for _ in range(ROUNDS):
        started_at = time.perf_counter()
        found = changes(walk(root), known)
        rounds.append(time.perf_counter() - started_at)
        assert found.unchanged_count == FILES
    return rounds


async def _studies(root: Path) -> list[float]:
    """Study the tree for the first time, then again and again."""
    settings = InstanceSettings(instance_id="bench", workspace=str(root), nats_url="nats://nowhere")
    rounds = []
    async with spoke_database() as engine:
        await enrol(engine, settings)
        student = Student(engine, settings)
        for number in range(1 + ROUNDS):
            started_at = time.perf_counter()
            (scan,) = await study_here(student)
            rounds.append(time.perf_counter() - started_at)
            assert (scan.read, scan.unchanged) == ((0, FILES) if number else (FILES, 0))
    return rounds


@contextmanager
def _tree() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for number in range(FILES):
            folder = root / f"package{number // FILES_PER_FOLDER}"
            folder.mkdir(exist_ok=True)
            (folder / f"module{number}.py").write_text(f"import os\n\npath_{number} = os.path.join('a', '{number}')\n")
        yield root


def _print(name: str, seconds: list[float]) -> None:
    print(f"{name:36} {statistics.median(seconds):9.2f} {min(seconds):6.2f} {max(seconds):6.2f}")
