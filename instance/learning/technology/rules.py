"""How a framework is recognised: rules as data, `rules/<category>.toml` beside this module.

A table's name is the framework's id. `npm`, `pypi`, `cargo`, `hex`, `golang` and `maven` list its packages, the first
of them giving the version; a name may end in `*`, a Maven name may be a group alone, a Go name stands for every module
below it. `modules.<language>` lists what its users import where that does not follow from the package's name. `files`
are patterns of a file's name, or of its path if they hold a slash; `settings` are tools configured in manifests;
`unless` names frameworks that rule this one out; `dev = true` says that a dev dependency is its natural place, as it
is for everything in the categories of tools.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from instance.learning.technology.documents import table, text, words
from shared.errors import PermanentError

ECOSYSTEMS: Final = ("npm", "pypi", "cargo", "hex", "golang", "maven")
TOOLS: Final = frozenset({"test", "build", "lint", "tools"})  # what maintainers run: a dev dependency says enough
_KEYS: Final = frozenset({"name", "dev", "modules", "files", "settings", "unless", *ECOSYSTEMS})


@dataclass(frozen=True, slots=True)
class Rule:
    """One framework and what gives it away; a tool is run on a codebase and rightly is a dev dependency."""

    id: str
    name: str
    category: str
    packages: Mapping[str, tuple[str, ...]]
    modules: Mapping[str, tuple[str, ...]]
    files: tuple[str, ...] = ()
    settings: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()
    is_tool: bool = False


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """Return the rules that come with Flocklore, sorted by id."""
    files = sorted((Path(__file__).parent / "rules").glob("*.toml"))
    rules = [rule for file in files for rule in rules_from(file.stem, file.read_text("utf-8"))]
    return tuple(sorted(rules, key=lambda rule: rule.id))


def rules_from(category: str, source: str) -> list[Rule]:
    """Return the rules of one document; raises `PermanentError` naming what is wrong with it."""
    try:
        document = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise PermanentError(f"the {category} rules are not TOML: {error}") from error
    return [_rule(category, id_, table(entry)) for id_, entry in document.items()]


def _rule(category: str, id_: str, entry: Mapping[str, Any]) -> Rule:
    if unknown := entry.keys() - _KEYS:
        raise PermanentError(f"rule {id_} has unknown keys: {', '.join(sorted(unknown))}")
    packages = {ecosystem: tuple(words(entry[ecosystem])) for ecosystem in ECOSYSTEMS if ecosystem in entry}
    told = {language: tuple(words(names)) for language, names in table(entry.get("modules")).items()}
    derived = {
        language: names for ecosystem in packages for language, names in _derived(ecosystem, packages[ecosystem])
    }
    return Rule(
        id=id_,
        name=text(entry.get("name")) or id_,
        category=category,
        packages=MappingProxyType(packages),
        modules=MappingProxyType(derived | told),
        files=tuple(words(entry.get("files"))),
        settings=frozenset(words(entry.get("settings"))),
        unless=frozenset(words(entry.get("unless"))),
        is_tool=category in TOOLS or entry.get("dev") is True,
    )


def _derived(ecosystem: str, names: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    language = {"npm": "javascript", "pypi": "python", "cargo": "rust", "hex": "elixir", "golang": "go"}.get(ecosystem)
    if language is not None:
        yield language, tuple(module for name in names if (module := module_of(ecosystem, name)))


def module_of(ecosystem: str, package: str) -> str:
    """Return what the users of a package import, as far as its name tells: "" when it does not."""
    match ecosystem:
        case "npm":
            return package.removesuffix("/*")
        case "golang":
            return package
        case "maven":
            return package.partition(":")[0]
        case _ if "*" in package:
            return ""
        case "hex":
            return "".join(part.capitalize() for part in package.split("_"))
        case _:
            return package.replace("-", "_")


class RuleBook:
    """Rules, indexed by what gives them away."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules: Final = {rule.id: rule for rule in rules}
        self._by_package: dict[tuple[str, str], list[str]] = {}
        self._by_file: dict[str, list[str]] = {}
        self._by_pattern: list[tuple[re.Pattern[str], bool, str]] = []
        for rule in self.rules.values():
            for ecosystem, names in rule.packages.items():
                for name in names:
                    self._by_package.setdefault((ecosystem, name), []).append(rule.id)
            for pattern in rule.files:
                self._index_file(pattern, rule.id)
        self._any_pattern = re.compile("|".join(each.pattern for each, _, _ in self._by_pattern) or "(?!)")

    def _index_file(self, pattern: str, id_: str) -> None:
        if re.search(r"[*?\[]", pattern) is None and "/" not in pattern:
            self._by_file.setdefault(pattern, []).append(id_)
        else:
            self._by_pattern.append((re.compile(translate(pattern)), "/" in pattern, id_))

    def of_package(self, ecosystem: str, name: str) -> Iterator[tuple[str, str]]:
        """Yield the rules a package speaks for, each with the name in the rule."""
        for known in _known_names(ecosystem, name):
            for id_ in self._by_package.get((ecosystem, known), ()):
                yield id_, known

    def of_path(self, path: str) -> Iterator[str]:
        """Yield the rules a path (posix, relative to the root) speaks for."""
        name = path.rpartition("/")[2]
        yield from self._by_file.get(name, ())
        if self._any_pattern.match(name) or self._any_pattern.match(path):
            for pattern, is_path, id_ in self._by_pattern:
                if pattern.match(path if is_path else name):
                    yield id_


def _known_names(ecosystem: str, name: str) -> Iterator[str]:
    """Yield the names under which a rule may know a package."""
    yield name
    match ecosystem:
        case "npm" if name.startswith("@"):
            yield f"{name.partition('/')[0]}/*"
        case "pypi" | "cargo":
            yield from (f"{before}-*" for before in _prefixes(name, "-"))
        case "golang":
            yield from _prefixes(name, "/")
        case "maven":
            group = name.partition(":")[0]
            yield group
            yield from _prefixes(group, ".")


def _prefixes(name: str, separator: str) -> Iterator[str]:
    parts = name.split(separator)
    yield from (separator.join(parts[:length]) for length in range(1, len(parts)))
