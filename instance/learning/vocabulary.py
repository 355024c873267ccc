"""What a language itself calls things: the names a template may show because everybody already knows them.

The data lies beside this module: `vocabularies/<language>.txt` in sections of sorted names, and
`public_packages/<ecosystem>.txt`, the import roots of well-known third-party packages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

_DATA = Path(__file__).parent
_FILES_OF = MappingProxyType({"typescript": ("javascript", "typescript"), "tsx": ("javascript", "typescript")})
_ECOSYSTEM_OF = MappingProxyType(
    {
        "python": "pypi",
        "javascript": "npm",
        "typescript": "npm",
        "tsx": "npm",
        "go": "go",
        "rust": "crates",
        "java": "maven",
        "elixir": "hex",
    }
)
LANGUAGE = "language"  # the origin of names that belong to the language and its standard library


class Vocabulary:
    """The public names of one language. Pickles as its name and the learned names, never as the data."""

    __slots__ = ("bare", "labels", "language", "learned", "members", "modules", "packages", "protocol", "strings")

    def __init__(self, language: str, learned: frozenset[str] = frozenset()) -> None:
        files = _FILES_OF.get(language, (language,))
        self.language = language
        self.learned = learned
        self.bare = _section("bare", files) | learned  # may stand alone: builtins, prelude types
        self.members = _section("members", files) | learned  # may follow a dot
        self.labels = _section("labels", files) | learned  # keyword arguments, option keys, atoms
        self.modules = _section("modules", files)  # importable from the standard library
        self.protocol = _section("protocol", files)  # a definition keeps its name: `__init__`, `toString`
        self.strings = _section("strings", ("strings",))
        self.packages = public_packages(_ECOSYSTEM_OF[language])

    def __reduce__(self) -> tuple[type[Vocabulary], tuple[str, frozenset[str]]]:
        return Vocabulary, (self.language, self.learned)

    def is_public(self, name: str) -> bool:
        """Tell whether the language, its standard library or the hub knows this name."""
        return (
            name in self.bare
            or name in self.members
            or name in self.labels
            or name in self.modules
            or name in self.protocol
        )

    def is_public_package(self, root: str) -> bool:
        """Tell whether an origin may be named outside this machine: the language or a well-known package."""
        return root == LANGUAGE or root in self.packages

    def extended(self, names: Iterable[str]) -> Vocabulary:
        """Return a vocabulary that also knows these names."""
        return Vocabulary(self.language, self.learned | frozenset(names))


@cache
def vocabulary(language: str) -> Vocabulary:
    """Return the shipped vocabulary of a language, loaded once per process."""
    return Vocabulary(language)


def _section(title: str, files: tuple[str, ...]) -> frozenset[str]:
    return frozenset().union(*(_sections(name).get(title, frozenset()) for name in files))


@cache
def _sections(name: str) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    section: set[str] = set()
    for line in (_DATA / "vocabularies" / f"{name}.txt").read_text("utf-8").splitlines():
        if line.startswith("[") and line.endswith("]") and len(line) > 2:  # noqa: PLR2004 - a name within brackets
            section = found.setdefault(line[1:-1], set())
        elif not line.startswith("# "):
            section.update(line.split())
    return MappingProxyType({title: frozenset(names) for title, names in found.items()})


@cache
def public_packages(ecosystem: str) -> frozenset[str]:
    """Return the import roots of the well-known packages of `pypi`, `npm`, `go`, `crates`, `maven` or `hex`."""
    lines = (_DATA / "public_packages" / f"{ecosystem}.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("# ") for word in line.split())
