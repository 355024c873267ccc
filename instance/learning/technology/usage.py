"""Which modules the files of a repository import, counted so that one file never counts twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from instance.learning.imports import Import
from instance.learning.technology.places import Place, place_of

PARTS_MAX: Final = 8
_SEPARATORS = MappingProxyType({"python": ".", "java": ".", "elixir": ".", "rust": "::"})
_NOTHING: Final[Counter[str]] = Counter()
_LANGUAGE_OF = MappingProxyType({"typescript": "javascript", "tsx": "javascript"})


@dataclass(slots=True)
class Usage:
    """By language, in how many files of the product (`code`) and of its tests each module or part of one is imported.

    A file that imports `a.b` and `a.c` counts once for `a`; what lies beside the product is not counted.
    """

    code: dict[str, Counter[str]] = field(default_factory=dict)
    tests: dict[str, Counter[str]] = field(default_factory=dict)
    files: Counter[str] = field(default_factory=Counter)

    def add(self, path: str, language: str, imports: Iterable[Import], own: frozenset[str] = frozenset()) -> None:
        """Count one file; `own` are module prefixes of the repository itself, which are not counted."""
        place = place_of(path)
        if place is Place.BESIDE:
            return
        family = _LANGUAGE_OF.get(language, language)
        counters = self.code if place is Place.CODE else self.tests
        counters.setdefault(family, Counter()).update(modules(family, imports, own))
        if place is Place.CODE:
            self.files[family] += 1

    def importing(self, language: str, modules: Iterable[str]) -> tuple[int, int]:
        """Return in how many files of the product and of its tests the most used of some modules is imported."""
        names = list(modules)
        code, tests = (
            max((counter[name] for name in names), default=0)
            for counter in (self.code.get(language, _NOTHING), self.tests.get(language, _NOTHING))
        )
        return code, tests


def modules(language: str, imports: Iterable[Import], own: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return every foreign module a file imports, and those around them: `a`, `a.b` and `a.b.c` for `a.b.c`."""
    separator = _SEPARATORS.get(language, "/")
    return frozenset(name for each in imports for name in _foreign(list(_around(each, separator)), own))


def _foreign(names: list[str], own: frozenset[str]) -> list[str]:
    return names if own.isdisjoint(names) else []


def _around(each: Import, separator: str) -> Iterator[str]:
    if not each.module or each.module.startswith("."):
        return
    parts = each.module.split(separator)
    if each.name and separator != "/":
        parts.append(each.name)
    for length in range(1, min(len(parts), PARTS_MAX) + 1):
        yield separator.join(parts[:length])
