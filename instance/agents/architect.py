"""The architect: conventions of a repository that show in how its files are laid out."""

from __future__ import annotations

from collections.abc import Iterable

from instance.agents.agent import Agent, Finding
from instance.agents.codebase import Codebase
from instance.learning.architecture import architecture


class Architect(Agent):
    """Names the decisions behind a codebase in the field's terms."""

    name = "architect"

    def study(self, codebase: Codebase) -> Iterable[Finding]:
        """Return the architecture patterns of a repository."""
        for pattern in architecture(codebase.paths):
            yield Finding(
                name=pattern.name, files=pattern.evidence, occurrences=pattern.evidence, body={"name": pattern.name}
            )
