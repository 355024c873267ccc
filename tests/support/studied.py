"""A directory an instance has studied, and insights as centralcloud would give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents.agent import installed_agents
from instance.agents.miner import mine
from instance.agents.rounds import go_round
from instance.analysis.workspace import walk
from instance.store import workspace
from schemas.insights import Insight
from shared.database import transaction

FILES = {
    f"{name}.py": f"import json\nfrom acme_internal import vault\n\n\ndef load_{name}(path):\n"
    "    with open(path) as file:\n        return json.load(file)\n\n\ndef keep(value):\n    vault.put(value)\n"
    for name in ("one", "two", "three")
}
"""Three files with a habit anybody may know, and one that names a package of their own."""


async def study(engine: AsyncEngine, root: Path) -> None:
    """Write the files to a new directory and let the agents study it; nothing is said."""
    _write(root)
    found = walk(root)
    async with transaction(engine) as connection:
        repository = await workspace.open_repository(connection, root, None)
    async for _ in mine(engine, repository, found):
        pass
    await go_round(engine, repository, found, installed_agents())


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
