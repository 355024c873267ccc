"""What a JavaScript build calls its own files: tsconfig paths, packages of the workspace, `#` imports, `@/`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from instance.learning.architecture.places import join, parent, parents

_COMMENT_OR_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA = re.compile(r",(?=\s*[}\]])")
_SOURCE_ROOT = re.compile(r"^[@~]/")
_BUILT = re.compile(r"^(?:\./)?(?:dist|lib|build|out)/(?:esm/|cjs/|types/)?")
_EXTENDS_MAX: Final = 5
_ENTRY_FIELDS = ("source", "types", "module", "main")


@dataclass
class _Project:
    """One `tsconfig.json` or `jsconfig.json`: its patterns, and the directories they are relative to."""

    paths: dict[str, list[str]] = field(default_factory=dict)
    paths_base: str = ""
    base_url: str | None = None


class Aliases:
    """Resolves specifiers that are not relative to paths without their endings."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        self._configs = {path: _json(text) for path, text in documents.items() if _is_config(path)}
        self._projects: dict[str, _Project] = {}
        for path in sorted(self._configs, key=lambda path: not path.endswith("tsconfig.json")):
            self._projects.setdefault(parent(path), self._project(path))
        self._manifests = {
            parent(path): _json(text) for path, text in documents.items() if path.rpartition("/")[2] == "package.json"
        }
        self._packages = {
            name: directory
            for directory, manifest in self._manifests.items()
            if isinstance(name := manifest.get("name"), str) and name
        }

    def is_package(self, specifier: str, path: str) -> bool:
        """Tell whether a specifier names a package of the workspace or matches a pattern of the nearest project."""
        if _package_of(specifier) in self._packages:
            return True
        project = self._nearest(path)
        return any(pattern != "*" and _match(pattern, specifier) is not None for pattern in project.paths)

    def candidates(self, path: str, specifier: str) -> Iterator[str]:
        """Yield the paths a specifier may mean in a file, the likeliest first."""
        project = self._nearest(path)
        for pattern in sorted(project.paths, key=lambda pattern: -len(pattern.partition("*")[0])):
            star = _match(pattern, specifier)
            if star is not None:
                yield from _joined(project.paths_base, (to.replace("*", star) for to in project.paths[pattern]))
        if project.base_url is not None:
            yield from _joined(project.base_url, [specifier])
        yield from self._in_workspace(specifier)
        yield from self._by_convention(path, specifier)

    def _in_workspace(self, specifier: str) -> Iterator[str]:
        name = _package_of(specifier)
        directory = self._packages.get(name)
        if directory is None:
            return
        below = specifier[len(name) + 1 :]
        if below:
            yield from _joined(directory, (f"src/{below}", below))
            return
        entries = [entry for entry in _entries(self._manifests[directory]) if entry]
        yield from _joined(directory, (_BUILT.sub("src/", entry) for entry in entries))
        yield from _joined(directory, (*entries, "src/index", "index", "src/main"))

    def _by_convention(self, path: str, specifier: str) -> Iterator[str]:
        directory = next((directory for directory in parents(path) if directory in self._manifests), "")
        if specifier.startswith("#"):
            imports = self._manifests.get(directory, {}).get("imports")
            for pattern, target in (imports if isinstance(imports, dict) else {}).items():
                star = _match(pattern, specifier)
                if star is not None:
                    yield from _joined(directory, (to.replace("*", star) for to in _strings(target)))
        elif _SOURCE_ROOT.match(specifier):
            yield from _joined(directory, (f"src/{specifier[2:]}", specifier[2:]))

    def _nearest(self, path: str) -> _Project:
        return next(
            (self._projects[directory] for directory in parents(path) if directory in self._projects), _Project()
        )

    def _project(self, path: str, depth: int = 0) -> _Project:
        """Read one project; what it does not say, the one it extends does."""
        config, directory = self._configs.get(path, {}), parent(path)
        options = config.get("compilerOptions")
        options = options if isinstance(options, dict) else {}
        base, paths = options.get("baseUrl"), options.get("paths")
        below = _joined(directory, [base]) if isinstance(base, str) else iter(())
        base_url = next(below, None)
        if isinstance(paths, dict):
            patterns = {pattern: list(_strings(targets)) for pattern, targets in paths.items()}
            return _Project(patterns, directory if base_url is None else base_url, base_url)
        extended = config.get("extends")
        if isinstance(extended, str) and extended.startswith(".") and depth < _EXTENDS_MAX:
            above = join(directory, extended)
            if above is not None:
                found = self._project(above if above.endswith(".json") else f"{above}.json", depth + 1)
                return _Project(found.paths, found.paths_base, found.base_url if base_url is None else base_url)
        return _Project(base_url=base_url)


def _is_config(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.startswith(("tsconfig", "jsconfig")) and name.endswith(".json")


def _json(text: str) -> dict[str, Any]:
    """Read JSON with comments and trailing commas; whatever is no object is empty."""
    plain = _COMMENT_OR_STRING.sub(lambda match: match[0] if match[0][0] == '"' else " ", text)
    try:
        document = json.loads(_TRAILING_COMMA.sub("", plain))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _package_of(specifier: str) -> str:
    return "/".join(specifier.split("/")[: 2 if specifier.startswith("@") else 1])


def _match(pattern: str, specifier: str) -> str | None:
    """Return what the star of a pattern stands for, "" without a star; None when it does not match."""
    head, star, tail = pattern.partition("*")
    if not star:
        return "" if pattern == specifier else None
    fits = specifier.startswith(head) and specifier.endswith(tail) and len(specifier) >= len(head) + len(tail)
    return specifier[len(head) : len(specifier) - len(tail)] if fits else None


def _entries(manifest: Mapping[str, Any]) -> Iterator[str]:
    for name in _ENTRY_FIELDS:
        yield from _strings(manifest.get(name))
    exports = manifest.get("exports")
    yield from _strings(exports.get(".", exports) if isinstance(exports, dict) else exports)


def _strings(value: Any) -> Iterator[str]:
    """Yield the paths in a value: a string, a list of them, or conditions that lead to them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item) if isinstance(item, (str, list)) else ()
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))


def _joined(directory: str, paths: Any) -> Iterator[str]:
    for path in paths:
        found = join(directory, path)
        if found is not None:
            yield found
