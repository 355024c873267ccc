"""Which processes make up the mesh: pure, from directories and addresses to commands and their environment."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.config import ENVIRONMENT_PREFIX, FILE_SUFFIX
from shared.errors import UsageError

CENTRALCLOUD = "centralcloud"
INSTANCE_PREFIX = "instance-"
# `instance_` and the id name a database, which has at most 63 bytes; some are left for a number.
_ID_LENGTH_MAX = 48
_INSTALLED_IN = ("site-packages", "dist-packages")
_SAID_BY_US = (
    "INSTANCE_ID", "DATABASE_URL", "NATS_URL", "NATS_HOST", "NATS_PORT", "WORKSPACE", "READY_FILE", "PORT", "HTTP_PORT",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Workspace:
    """A directory to study; `key` says the same thing at the next start, `suggested` is a name for people."""

    key: str
    suggested: str
    directory: Path


@dataclass(frozen=True, slots=True)
class Instance:
    """One learner of the mesh."""

    instance_id: str
    directory: Path

    @property
    def name(self) -> str:
        """What it is called among the parts of the mesh."""
        return INSTANCE_PREFIX + self.instance_id

    @property
    def database(self) -> str:
        """The database it has for itself."""
        return "instance_" + self.instance_id.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Hub:
    """A process of centralcloud: its name among the parts, and what it is told beside what all are."""

    name: str
    told: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DaemonPlan:
    """A daemon to run as a process: its command and what it finds in its environment."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready_file: Path
    studies: Path | None = None


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the daemons find things."""

    state: Path
    nats_url: str
    database_url: Callable[[str], str]
    """From the name of a database to its URL."""

    def ready_file(self, name: str) -> Path:
        """Where the daemon of this name says that it is ready."""
        return self.state / "run" / f"{name}.ready"


def directory_workspaces(directories: Iterable[Path]) -> list[Workspace]:
    """Return a workspace for each directory, each once; UsageError for one that a daemon could not be told."""
    resolved = dict.fromkeys(directory.resolve() for directory in directories)
    for directory in resolved:
        if os.pathsep in str(directory):
            raise UsageError(f"{directory}: a directory to study cannot have {os.pathsep!r} in its path; rename it")
    return [Workspace(str(directory), directory.name, directory) for directory in resolved]


def name_instances(workspaces: Iterable[Workspace], known: Mapping[str, str]) -> tuple[list[Instance], dict[str, str]]:
    """Give each workspace an instance id: the one `known` by its key, else a new one made from its name.

    Returns the instances and all ids known from now on; an id is never given to a second workspace, so that none
    meets the database of another.
    """
    ids = dict(known)
    instances = []
    for workspace in workspaces:
        if workspace.key not in ids:
            ids[workspace.key] = _new_id(workspace.suggested, set(ids.values()))
        instances.append(Instance(ids[workspace.key], workspace.directory))
    return instances, ids


def plan_daemons(
    instances: Iterable[Instance],
    addresses: Addresses,
    inherited: Mapping[str, str],
    hubs: Iterable[Hub] = (Hub(CENTRALCLOUD),),
) -> list[DaemonPlan]:
    """Return the processes of centralcloud and the instances, in the order they are started."""
    common = _common_environment(addresses, inherited)
    return [
        *(_hub(hub, addresses, common) for hub in hubs),
        *(_instance(instance, addresses, common) for instance in instances),
    ]


def module_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs one of our modules."""
    # -P: in a directory with a package `shared` of its own Python would take that one.
    return (sys.executable, "-P", "-m", module, *arguments)


def checkout_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which Python finds our modules also when they are not installed."""
    here = Path(__file__).resolve().parents[1]
    checkout = [] if here.name in _INSTALLED_IN else [str(here)]
    parts = [part for part in (*inherited.get("PYTHONPATH", "").split(os.pathsep), *checkout) if part]
    return {**inherited, "PYTHONPATH": os.pathsep.join(dict.fromkeys(parts))}


def _hub(hub: Hub, addresses: Addresses, common: Mapping[str, str]) -> DaemonPlan:
    own = {"DATABASE_URL": addresses.database_url(CENTRALCLOUD), **hub.told}
    return _daemon(hub.name, CENTRALCLOUD, addresses, _without(common, hub.told) | own)


def _instance(instance: Instance, addresses: Addresses, common: Mapping[str, str]) -> DaemonPlan:
    own = {
        "INSTANCE_ID": instance.instance_id,
        "DATABASE_URL": addresses.database_url(instance.database),
        "FLOCKLORE_WORKSPACE": str(instance.directory),
    }
    return _daemon(instance.name, "instance", addresses, {**common, **own}, instance.directory)


def _daemon(
    name: str, module: str, addresses: Addresses, environment: Mapping[str, str], studies: Path | None = None
) -> DaemonPlan:
    ready_file = addresses.ready_file(name)
    said = {**environment, "FLOCKLORE_READY_FILE": str(ready_file)}
    return DaemonPlan(name, module_command(module, "run"), said, ready_file, studies)


def _common_environment(addresses: Addresses, inherited: Mapping[str, str]) -> dict[str, str]:
    return checkout_environment(_without(inherited, _SAID_BY_US)) | {
        "NATS_URL": addresses.nats_url,
        "FLOCKLORE_STATE_DIR": str(addresses.state),
        "FLOCKLORE_LOG_FORMAT": "json",
    }


def _without(environment: Mapping[str, str], said: Collection[str]) -> dict[str, str]:
    """Leave out what we say ourselves, also where it is written with the prefix, or names a file."""
    ours = {name.removeprefix(ENVIRONMENT_PREFIX) for name in said}
    ours |= {name + FILE_SUFFIX for name in ours}
    return {name: value for name, value in environment.items() if name.removeprefix(ENVIRONMENT_PREFIX) not in ours}


def _new_id(suggested: str, taken: set[str]) -> str:
    """Make a valid name of `suggested`, with a number when it is taken. Only dashes, as databases only have `_`."""
    slug = re.sub(r"[^a-z0-9]+", "-", suggested.lower())[:_ID_LENGTH_MAX].strip("-") or "workspace"
    number = 1
    while (candidate := slug if number == 1 else f"{slug}-{number}") in taken:
        number += 1
    return candidate
