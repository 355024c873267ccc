"""Settings of an instance daemon."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from msgspec import Meta

from schemas.names import Name
from shared.config import Port, Resolved, Settings, resolve

SECTION = "instance"

Share = Annotated[float, Meta(ge=0, le=1)]

SCHEDULES: Final[Mapping[str, float | None]] = {
    "cleanup": 900.0,
    "pattern_mining": 3_600.0,
    "pattern_sync": 300.0,
    "results": 30.0,
    "transcripts": 60.0,
    "labels": 600.0,
    "statistics": 3_600.0,
    "embedding": 3_600.0,
    "download_insights": 6 * 3_600.0,
}
"""What is done every how many seconds, unless `schedules` says otherwise."""


class Sharing(NamedTuple):
    """What of the words may leave the machine; counts and digests always may."""

    templates: Literal["public", "all", "never"] = "public"
    table_names: bool = False


class InstanceSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an instance can be told, beside what both daemons can."""

    instance_id: Name | None = None
    """None: the one kept in the database, at first start made from the host's name."""
    workspace: str = ""
    """Directories to study, separated as in PATH; empty: the current directory."""
    share_code_templates: Literal["public", "all", "never"] = "public"
    """public: only templates all of whose names are known to be public; all: every template without a secret."""
    share_schema_names: bool = False
    """Whether the names of tables may leave the machine; without it only their shapes do."""
    agents_off: str = ""
    """Names of agents that shall not study here, separated by commas."""
    share_backlog: bool = False
    """Whether what was learned in isolation is said when a hub is first configured."""
    patterns_shared_max: int = 5000
    """Per repository and language, the most informative ones."""
    pattern_files_min: int = 2
    """A shape in fewer files is no pattern."""
    watch_transcripts: bool = False
    """Whether what coding agents wrote of their work in the workspace is read: models, tokens, times, never words."""
    otlp_port: Port | None = None
    """Where programs of this machine may send OpenTelemetry of what they asked of models; None: nowhere."""
    prices: str | None = None
    """Path of a table of prices that come before those known."""
    routing: bool = True
    """Whether `flocklore route` chooses; without it the incumbent is the answer."""
    routing_exploration: Share = 0.2
    """Share of choices that may try something else than what is expected to be best."""
    routing_success_min: Share | None = None
    """The success asked for; None: as good as the incumbent, without one as good as the best single model."""
    routing_pinned: str = ""
    """Models to be tried in this order whatever is known, separated by commas."""
    routing_forbidden: str = ""
    """Models never to be chosen, separated by commas."""
    routing_only: str = ""
    """Models that alone may be chosen, separated by commas; empty: all that are known."""
    routing_holdout: Share = 0.0
    """Share of choices that is given to the incumbent by lot, so that what advice saves is measured against it."""

    region_nats_url: str | None = None
    """NATS of a region: this instance is then its delegate, and studies what the region knows, no directory."""
    region_nats_credentials: str | None = None
    """Path of a credentials file for it."""
    region_nats_tls_ca: str | None = None
    """Path of the certificate of who signs its servers' ones."""
    region_nats_tls_cert: str | None = None
    """Path of this client's own certificate for it."""
    region_nats_tls_key: str | None = None
    """Path of the key to it; None: it is in the same file."""

    @property
    def roots(self) -> list[Path]:
        """Directories to study, absolute, each once; a delegate studies none."""
        if self.region_nats_url:
            return []
        parts = [part for part in self.workspace.split(os.pathsep) if part] or ["."]
        return list(dict.fromkeys(Path(part).expanduser().resolve() for part in parts))

    @property
    def sharing(self) -> Sharing:
        """What may leave the machine."""
        return Sharing(self.share_code_templates, self.share_schema_names)

    @property
    def switched_off(self) -> frozenset[str]:
        """Names of the agents that shall not study."""
        return frozenset(name.strip() for name in self.agents_off.split(","))

    @property
    def isolated(self) -> bool:
        """Whether there is no NATS at all."""
        return not self.nats_servers


def load(flags: Mapping[str, Any] | None = None, file: Path | None = None) -> Resolved[InstanceSettings]:
    """Resolve the settings of this process."""
    return resolve(InstanceSettings, SECTION, environment=os.environ, flags=flags, file=file)
