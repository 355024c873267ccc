"""The architect: conventions of a repository that show in how its files are laid out."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from instance.analysis.workspace import Workspace
from instance.learning.architecture import architecture
from instance.store import workspace as store
from instance.store.observations import ARCHITECTURE
from instance.store.workspace import PatternDelta, PatternRow, Repository
from shared.database import transaction


async def lay_out(engine: AsyncEngine, repository: Repository, workspace: Workspace) -> bool:
    """Bring the architecture patterns of a repository up to date; returns whether any changed."""
    found = architecture(workspace.paths)
    rows = [
        PatternRow(fingerprint=pattern.fingerprint.hex(), kind=ARCHITECTURE, template=pattern.name) for pattern in found
    ]
    counts = [
        PatternDelta(fingerprint=pattern.fingerprint.hex(), files=pattern.evidence, occurrences=pattern.evidence)
        for pattern in found
    ]
    async with transaction(engine) as connection:
        await store.put_patterns(connection, repository, rows)
        return await store.replace_counts(connection, repository, ARCHITECTURE, counts)
