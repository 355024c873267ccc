"""What an agent is: a named learner that looks at a codebase and returns findings.

Agents are found through the entry point group `flocklore.agents`; those of this distribution are, too. An agent runs
whenever something it may depend on has changed, in a thread; an agent that fails keeps its earlier findings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Any, ClassVar, Final, Literal

import structlog
from msgspec import Struct, field

from instance.agents.codebase import Codebase
from schemas.fingerprint import fingerprint

log = structlog.get_logger(__name__)

GROUP: Final = "flocklore.agents"
FINDINGS_MAX: Final = 20_000
"""Of one agent in one repository."""

Kind = Literal[
    "code.pattern",
    "architecture.pattern",
    "technology.language",
    "technology.framework",
    "technology.dependency",
    "data.schema",
]


class Finding(Struct, frozen=True, kw_only=True):
    """One thing an agent found in a repository.

    `name` is how people read it; `identity` what makes two findings the same everywhere, by default the name. `files`
    is the number of files that show it, at least 1. `body` holds the further fields of its event, `names` the names
    in a code pattern with their origins. Names of the codebase itself belong into neither `name` nor `identity`.
    """

    name: str
    files: int = 1
    occurrences: int = 1
    kind: Kind = "architecture.pattern"
    identity: str = ""
    language: str = ""
    view: str = ""
    tokens: int = 0
    names: tuple[tuple[str, str], ...] = ()
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """The same for the same finding in every repository: blake2b-128, hex."""
        identity = self.identity or self.name
        if self.kind == "code.pattern":
            return fingerprint(self.language, self.view, identity).hex()
        view = "architecture" if self.kind == "architecture.pattern" else self.kind
        return fingerprint("any", view, identity).hex()


class Agent(ABC):
    """A named learner; see `docs/agents.md` for one in thirty lines."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Another version studies everything again."""

    def reads(self, path: str) -> bool:  # noqa: ARG002 - the default reads nothing
        """Tell whether this agent reads that file itself: a change of it is a reason to study again."""
        return False

    @abstractmethod
    def study(self, codebase: Codebase) -> Iterable[Finding]:
        """Return everything found; what was found before and is not among it is gone."""


def installed_agents(switched_off: Iterable[str] = ()) -> list[Agent]:
    """Load every installed agent but those switched off, by name; one that cannot be loaded is named and left out."""
    off = frozenset(switched_off)
    found: dict[str, Agent] = {}
    for entry in sorted(entry_points(group=GROUP)):
        if entry.name in off or entry.name in found:
            continue
        try:
            found[entry.name] = entry.load()()
        except Exception as error:  # noqa: BLE001 - whatever another package does wrong, the others go on
            log.warning("agent left out", agent=entry.name, package=_package(entry), reason=repr(error))
    return list(found.values())


def _package(entry: Any) -> str:
    return entry.dist.name if entry.dist is not None else ""
