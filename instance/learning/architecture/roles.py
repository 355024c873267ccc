"""The role a directory's name gives to what lies in it: a public dictionary, the same for every language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from instance.learning.architecture.pattern import ArchitecturePattern, pattern

_WORDS = {
    "handlers": "handler handlers", "controllers": "controller controllers", "models": "model models",
    "services": "service services", "repositories": "repository repositories", "store": "store stores",
    "api": "api apis", "routes": "route routes router routers routing", "views": "view views",
    "schemas": "schema schemas",
    "middleware": "middleware middlewares", "domain": "domain", "entities": "entity entities",
    "adapters": "adapter adapters", "ports": "port ports", "usecases": "usecase usecases use_cases",
    "components": "component components", "hooks": "hook hooks", "pages": "page pages",
    "jobs": "job jobs worker workers task tasks",
    "events": "event events", "commands": "command commands", "queries": "query queries", "config": "config settings",
    "clients": "client clients", "plugins": "plugin plugins", "cli": "cli cmd",
    "infrastructure": "infrastructure infra", "core": "core", "internal": "internal", "web": "web",
    "consumers": "consumer consumers subscriber subscribers listener listeners", "database": "database db",
    "utilities": "util utils utilities helper helpers common shared", "types": "type types",
}  # fmt: skip
ROLE_OF = {word: role for role, words in _WORDS.items() for word in words.split()}


def role(path: str) -> str:
    """Return the role a file plays: that of the nearest directory that has one, "" where none has.

    A file that lies in no such directory may bear the role itself: `billing/models.py`.
    """
    *directories, name = path.lower().split("/")
    stem = name.partition(".")[0]
    for part in (*reversed(directories), stem):
        found = ROLE_OF.get(part) or _of_suffix(part)
        if found:
            return found
    return ""


def _of_suffix(name: str) -> str:
    """Return `web` for Phoenix's `shop_web`, `models` for `user_models`: the last word decides."""
    head, _, last = name.rpartition("_")
    return ROLE_OF.get(last, "") if head else ""


def roles(paths: Sequence[str]) -> dict[str, int]:
    """Return how many files lie in directories of each role; a file counts once for each."""
    found: dict[str, int] = {}
    for path in paths:
        for name in {ROLE_OF[part] for part in path.lower().split("/")[:-1] if part in ROLE_OF}:
            found[name] = found.get(name, 0) + 1
    return found


def role_patterns(files: dict[str, int]) -> Iterator[ArchitecturePattern]:
    """Yield the roles that at least two files play; one file is an accident."""
    for name, count in files.items():
        if count > 1:
            yield pattern(f"role.{name}", count, f"a directory for {name}")
