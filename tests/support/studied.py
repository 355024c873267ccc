"""A directory an instance has studied, and insights as centralcloud would give them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents import miner, rounds
from instance.agents.agent import Agent, installed_agents
from instance.agents.codebase import Codebase
from instance.agents.manifests import own_modules_of
from instance.analysis.workspace import Workspace, walk
from instance.store import findings
from instance.store import workspace as store
from instance.store.workspace import Repository
from schemas.insights import Insight
from shared.database import transaction
from shared.pool import CpuProcesses

FILES = {
    f"{name}.py": f"import json\nfrom acme_internal import vault\n\n\ndef load_{name}(path):\n"
    "    with open(path) as file:\n        return json.load(file)\n\n\ndef keep(value):\n    vault.put(value)\n"
    for name in ("one", "two", "three")
}
"""Three files with a habit anybody may know, and one that names a package of their own."""


async def study(engine: AsyncEngine, root: Path) -> None:
    """Write the files to a new directory and let the agents study it; nothing is said."""
    _write(root)
    repository, found = await read(engine, root)
    await go_round(engine, repository, found, installed_agents())


async def read(engine: AsyncEngine, root: Path) -> tuple[Repository, Workspace]:
    """Mine a directory of a few files."""
    found = walk(root)
    async with transaction(engine) as connection:
        repository = await store.open_repository(connection, root, None)
    news = await miner.look(engine, repository, found, name="", begun=0.0)
    for part in news.parts:
        await miner.mine(engine, CpuProcesses(1), repository, part, own_modules_of(found))
    async with transaction(engine) as connection:
        await store.mark_scanned(connection, repository)
    return repository, found


async def go_round(
    engine: AsyncEngine, repository: Repository, workspace: Workspace, agents: Sequence[Agent]
) -> set[str]:
    """Let every agent study that is due; returns the fingerprints of findings that changed or are gone."""
    due, changed = await rounds.who_is_due(engine, repository, workspace, agents)
    async with transaction(engine) as connection:
        codebase = Codebase(workspace, await findings.facts(connection, repository))
    for agent in agents:
        if agent.name in due:
            changed |= await rounds.consult(engine, CpuProcesses(1), repository, agent, codebase, due[agent.name])
    return changed


def _write(root: Path) -> None:
    root.mkdir()
    for name, source in FILES.items():
        (root / name).write_text(source)


def insight(number: int, **changes: Any) -> Insight:
    """An active insight of two instances, the number being its id and version."""
    values: dict[str, Any] = {
        "id": f"{number:032x}", "kind": "code.pattern", "state": "active", "instances": 2, "repositories": 2,
        "files": 5, "occurrences": 9, "rate": 0.5, "confidence": 0.25, "language": "python",
        "template": f"with open ( $1 ) as $2 : {number}", "contributors": ("ann", "bob"), "version": number,
    }  # fmt: skip
    return Insight(**values | changes)
