"""Patterns of one repository in the order of their worth: its own evidence, and the fleet's where there is a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from instance.analysis.languages import LANGUAGES
from instance.learning.expectation import NOTHING, Evidence, Expectation, FleetEvidence, elsewhere, rank
from instance.learning.information import bits
from instance.store import calibrations, insights, workspace
from instance.store.insights import FleetRate
from instance.store.observations import Known
from instance.store.workspace import Repository
from instance.sync.choice import idiom_of
from schemas.calibration import Calibration


@dataclass(frozen=True)
class Surroundings:
    """What the ranking needs beside the patterns: files by language, what the fleet says, and the tables."""

    files: Mapping[str, int]
    rates: Mapping[str, FleetRate]
    tables: Mapping[str, Calibration]


async def surroundings(connection: AsyncConnection, repository: Repository, patterns: Iterable[Known]) -> Surroundings:
    """Read them for one repository."""
    files: Counter[str] = Counter()
    for language, count in (await workspace.files_by_language(connection, repository)).items():
        files[LANGUAGES[language].fingerprint_name] += count
    rates = await insights.fleet_rates(connection, [pattern.fingerprint for pattern in patterns])
    return Surroundings(files, rates, await calibrations.by_language(connection))


def ranked(language: str, patterns: Iterable[Known], around: Surroundings, limit: int) -> list[Expectation]:
    """Rank the code patterns of one language, without those a better one makes redundant."""
    seen = max(around.files.get(language, 0), 1)
    table = around.tables.get(language) or around.tables.get("")
    evidence = [
        Evidence(idiom_of(pattern), pattern.files, bits(pattern.template, pattern.names), _fleet(pattern, seen, around))
        for pattern in patterns
    ]
    return rank(evidence, seen, table, limit=limit)


def _fleet(pattern: Known, seen: int, around: Surroundings) -> FleetEvidence:
    rate = around.rates.get(pattern.fingerprint)
    if rate is None:
        return NOTHING
    said = pattern.said_files if pattern.version and not pattern.forgotten else 0  # what the hub has counted of us
    return elsewhere(rate.repositories, rate.mean_rate, fleet=rate.counted, files=said, seen=seen)
