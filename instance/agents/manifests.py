"""What a codebase calls its own modules, read from its manifests and its layout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from instance.analysis.workspace import Workspace
from instance.learning.origins import MANIFEST_NAMES, own_modules

MANIFEST_BYTES_MAX: Final = 1024**2


def own_modules_of(workspace: Workspace) -> dict[str, frozenset[str]]:
    """Module prefixes that belong to the codebase, by language: their names never stay in a template."""
    manifests = {
        path: _text(workspace.root / path) for path in workspace.paths if path.rpartition("/")[2] in MANIFEST_NAMES
    }
    by_language: dict[str, list[str]] = {}
    for file in workspace.files:
        by_language.setdefault(file.language, []).append(file.path)
    return {
        language: own_modules(language, workspace.root.name, paths, manifests)
        for language, paths in by_language.items()
    }


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MANIFEST_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return ""
