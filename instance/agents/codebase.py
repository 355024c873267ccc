"""What agents see of a repository: its paths, and what was read of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from instance.agents.manifests import own_modules_of
from instance.analysis.workspace import Workspace, read_source
from instance.learning.facts import Facts, unpack_facts
from instance.learning.imports import Import

TEXT_BYTES_MAX: Final = 1024**2


@dataclass(frozen=True)
class Codebase:
    """One repository as it was last read; `facts` are packed, by path of the studied files."""

    workspace: Workspace
    facts: Mapping[str, bytes] = field(repr=False)

    @property
    def paths(self) -> Sequence[str]:
        """Every path that git or the disk knows, posix and relative, sorted."""
        return self.workspace.paths

    @cached_property
    def languages(self) -> dict[str, list[str]]:
        """Paths of the studied files by language."""
        found: dict[str, list[str]] = {}
        for file in self.workspace.files:
            if file.path in self.facts:
                found.setdefault(file.language, []).append(file.path)
        return found

    @cached_property
    def own_modules(self) -> dict[str, frozenset[str]]:
        """Prefixes of the repository's own modules, by language."""
        return own_modules_of(self.workspace)

    def facts_of(self, path: str) -> Facts:
        """Return what was read of a studied file: its imports, library calls and tables."""
        return unpack_facts(self.facts[path])

    def imports_of(self, path: str) -> tuple[Import, ...]:
        """Return the imports of a studied file, in order."""
        return self.facts_of(path).imports

    def text(self, path: str) -> str:
        """Return a file's text, its first MiB at most; empty when it cannot be read."""
        try:
            return read_source(self.workspace.root, path)[:TEXT_BYTES_MAX].decode("utf-8", "replace")
        except OSError:
            return ""
