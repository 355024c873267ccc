"""What a mesh of one machine is made of: one of everything, or several so that any one may end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mesh.plan import CENTRALCLOUD, Hub

STANDBY: Final = f"{CENTRALCLOUD}-standby"


@dataclass(frozen=True, slots=True)
class Profile:
    """Whether our NATS is a cluster, and which hubs there are, the first one first."""

    clustered: bool
    hubs: tuple[Hub, ...]

    def hubs_with(self, stream_replicas: int) -> list[Hub]:
        """The hubs, told to keep so many copies of the stream."""
        said = {"FLOCKLORE_STREAM_REPLICAS": str(stream_replicas)}
        return [replace(hub, told={**hub.told, **said}) for hub in self.hubs]


def _hub(name: str, role: str) -> Hub:
    return Hub(name, {"WORKER_ID": name, "ORCHESTRATOR_ROLE": role})


SINGLE: Final = Profile(clustered=False, hubs=(Hub(CENTRALCLOUD),))
CLUSTER: Final = Profile(clustered=True, hubs=(_hub(CENTRALCLOUD, "primary"), _hub(STANDBY, "standby")))
PROFILES: Final = {"single": SINGLE, "cluster": CLUSTER}
