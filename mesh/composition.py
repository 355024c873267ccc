"""Puts a mesh together: which servers are ours, which instances there are, what runs in which order."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import zip_longest
from pathlib import Path

from mesh.front import Chosen, Front
from mesh.parts import DaemonPart, Part, ServerPart
from mesh.plan import CENTRALCLOUD, Addresses, Instance, Workspace, name_instances, plan_daemons
from mesh.profiles import SINGLE, Profile
from mesh.status import MeshStatus, read_status
from mesh.supervisor import Supervisor
from shared.config import Settings, resolve
from shared.embedded.claim import Claim
from shared.embedded.databases import create_missing, url_of
from shared.embedded.nats import EmbeddedNats
from shared.embedded.nodes import ALONE, cluster
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import AlreadyRunningError

LOGS = "logs"
SECTION = "mesh"
_CLAIM = "mesh.claim"
_IDS = "instances.json"


def load_settings(state_dir: str | None) -> Settings:
    """Resolve what the mesh is told: flocklore.toml, the environment, the option."""
    return resolve(Settings, SECTION, environment=os.environ, flags={"state_dir": state_dir}).settings


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the right to run a mesh in this state directory; AlreadyRunningError says what runs there."""
    try:
        claim = Claim.take(state / _CLAIM, timeout_seconds=0.5)
    except AlreadyRunningError as error:
        raise already_running(read_status(state), state) from error
    try:
        yield
    finally:
        claim.close()


def already_running(status: MeshStatus | None, state: Path) -> AlreadyRunningError:
    """Say what runs and where, for somebody who wanted to start it."""
    if status is None:
        return AlreadyRunningError(f"a mesh is just starting or stopping in {state}; see `flocklore status`")
    names = ", ".join(part.name for part in status.parts)
    return AlreadyRunningError(
        f"already running in {state} as process {status.supervisor.pid}: {names}; "
        "see `flocklore status`, end it with `flocklore down`"
    )


def build(
    state: Path,
    settings: Settings,
    workspaces: Sequence[Workspace],
    report: Callable[[str], None],
    profile: Profile = SINGLE,
) -> Supervisor:
    """Return the supervisor of a mesh that studies `workspaces`; a NATS of ours is started, to know its port."""
    instances = _named(state, workspaces)
    databases = [CENTRALCLOUD, *(instance.database for instance in instances)]
    database_url, postgres = _postgres(state, settings, databases)
    nats_url, nats = _nats(state, settings, profile)
    addresses = Addresses(state, nats_url, database_url)
    hubs = profile.hubs_with(len(nats)) if nats else profile.hubs
    plans = plan_daemons(instances, addresses, os.environ, hubs)
    chosen = Chosen()
    fronts = [Front(state, settings, chosen, place) for place in range(len(hubs))]
    daemons = [DaemonPart(plan, _log(state, plan.name), front) for plan, front in zip_longest(plans, fronts)]
    centralclouds, spokes = daemons[: len(hubs)], daemons[len(hubs) :]
    # One group each: the standby stops before the primary, else it would take over for a moment.
    return Supervisor(state, [postgres, nats, *([hub] for hub in centralclouds), spokes], report)


def _nats(state: Path, settings: Settings, profile: Profile) -> tuple[str, list[Part]]:
    if settings.nats_servers:
        return ",".join(settings.nats_servers), []
    log = partial(_log, state)
    if profile.clustered:
        servers = cluster(state, log, port=settings.nats_port)
    else:
        servers = [EmbeddedNats(state / ALONE, port=settings.nats_port, log=log(ALONE))]
    return ",".join(map(_started, servers)), [_nats_part(server) for server in servers]


def _started(server: EmbeddedNats) -> str:
    server.start()
    return server.url


def _nats_part(server: EmbeddedNats) -> Part:
    return ServerPart(server.directory.name, server, lambda: server.url)


def _postgres(state: Path, settings: Settings, databases: list[str]) -> tuple[Callable[[str], str], list[Part]]:
    given = settings.database_url
    if given:
        create_missing(given, databases)
        return lambda name: url_of(given, name), []
    server = EmbeddedPostgres(state / "postgres", log=_log(state, "postgres"))
    return server.dsn, [
        ServerPart("postgres", server, lambda: server.dsn("postgres"), lambda: server.ensure_database(*databases))
    ]


def _named(state: Path, workspaces: Sequence[Workspace]) -> list[Instance]:
    """Give the workspaces their ids and remember these."""
    path = state / _IDS
    known = json.loads(path.read_bytes()) if path.exists() else {}
    instances, ids = name_instances(workspaces, known)
    if ids != known:
        unfinished = path.with_name(f"{_IDS}.unfinished")
        unfinished.write_text(json.dumps(ids, indent=2) + "\n", encoding="utf-8")
        unfinished.replace(path)
    return instances


def _log(state: Path, name: str) -> Path:
    return state / LOGS / f"{name}.log"
