"""Which agents are due over a repository, and letting one of them study it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents.agent import FINDINGS_MAX, Agent, Finding
from instance.agents.codebase import Codebase
from instance.agents.miner import POOL_FROM_FILES
from instance.analysis.workspace import Workspace
from instance.store import findings as store
from instance.store.findings import FindingRow
from instance.store.workspace import Repository
from shared.database import transaction
from shared.pool import CpuProcesses

log = structlog.get_logger(__name__)


async def who_is_due(
    engine: AsyncEngine, repository: Repository, workspace: Workspace, agents: Sequence[Agent]
) -> tuple[dict[str, str], set[str]]:
    """Agents that have not seen the repository as it is now, with the digest of what they may depend on.

    Drops what agents found that are no longer there, and returns its fingerprints, too.
    """
    async with transaction(engine) as connection:
        gone = await store.keep_only(connection, repository, [agent.name for agent in agents])
        files = await store.files_digest(connection, repository)
        seen = await store.inputs(connection, repository)
    inputs = await asyncio.to_thread(_inputs, agents, workspace, files)
    return {name: digest for name, digest in inputs.items() if seen.get(name) != digest}, gone


async def consult(
    engine: AsyncEngine, processes: CpuProcesses, repository: Repository, agent: Agent, codebase: Codebase, inputs: str
) -> set[str]:
    """Let one agent study: in a process of its own where there is much to see. Returns what changed or is gone.

    When it fails its earlier findings stay, and it tries again next time.
    """
    started = time.monotonic()
    try:
        if len(codebase.facts) < POOL_FROM_FILES:
            rows = await asyncio.to_thread(_rows, agent, codebase)
        else:
            rows = await processes.run(_rows, agent, codebase)
    except Exception as error:
        log.exception("agent failed", agent=agent.name, root=str(repository.root))
        async with transaction(engine) as connection:
            seconds = time.monotonic() - started
            await store.note_study(
                connection, repository, agent.name, inputs, findings=0, seconds=seconds, error=repr(error)[:1000]
            )
        return set()
    async with transaction(engine) as connection:
        changed = await store.replace(connection, repository, agent.name, rows)
        seconds = time.monotonic() - started
        await store.note_study(connection, repository, agent.name, inputs, findings=len(rows), seconds=seconds)
    log.debug("agent studied", agent=agent.name, findings=len(rows), seconds=round(seconds, 2))
    return changed


def _rows(agent: Agent, codebase: Codebase) -> list[FindingRow]:
    """Return the findings of an agent, each thing once."""
    found = {finding.fingerprint: finding for finding in islice(agent.study(codebase), FINDINGS_MAX)}
    return [_row(fingerprint, finding) for fingerprint, finding in sorted(found.items())]


def _row(fingerprint: str, finding: Finding) -> FindingRow:
    return FindingRow(
        fingerprint=fingerprint,
        kind=finding.kind,
        template=finding.name,
        language=finding.language,
        view=finding.view,
        names=finding.names,
        tokens=finding.tokens,
        files=finding.files,
        occurrences=finding.occurrences,
        body=finding.body,
    )


def _inputs(agents: Iterable[Agent], workspace: Workspace, files: str) -> dict[str, str]:
    """Digest what each agent may depend on: all paths, the studied files, and the files it reads itself."""
    shared = blake2b("\n".join((files, *workspace.paths)).encode(), digest_size=16).hexdigest()
    return {agent.name: _digest(agent, workspace, shared) for agent in agents}


def _digest(agent: Agent, workspace: Workspace, shared: str) -> str:
    stamps = [_stamp(workspace.root, path) for path in workspace.paths if agent.reads(path)]
    text = "\n".join((str(agent.version), shared, *stamps))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _stamp(root: Path, path: str) -> str:
    try:
        status = os.lstat(root / path)
    except OSError:
        return path
    return f"{path} {status.st_size} {status.st_mtime_ns}"
