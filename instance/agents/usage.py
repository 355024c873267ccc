"""The reader of usage: in which order functions call what libraries offer."""

from __future__ import annotations

from collections.abc import Iterable

from instance.agents.agent import Agent, Finding
from instance.agents.codebase import Codebase
from instance.learning.usage.patterns import usage_patterns


class UsageReader(Agent):
    """Learns the call sequences that recur over the files of a codebase."""

    name = "usage"

    def study(self, codebase: Codebase) -> Iterable[Finding]:
        """Return call sequences as code patterns of the view `sequence`."""
        for language, paths in codebase.languages.items():
            for candidate in usage_patterns({path: codebase.facts_of(path).calls for path in paths}, language):
                idiom = candidate.idiom
                yield Finding(
                    kind="code.pattern",
                    name=idiom.template,
                    language=idiom.language,
                    view=idiom.view,
                    names=idiom.names,
                    tokens=idiom.tokens,
                    files=candidate.files,
                    occurrences=candidate.occurrences,
                )
