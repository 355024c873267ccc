"""How a repository uses its libraries: call sequences that recur over its files, as patterns like any other."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from heapq import nlargest
from itertools import islice, pairwise
from typing import Final

from instance.analysis.languages import LANGUAGES
from instance.learning.idioms import Idiom
from instance.learning.origins import origin_of
from instance.learning.selection import Candidate
from instance.learning.usage.calls import LibraryCalls
from instance.learning.usage.sequences import Calls, CallSequence, Index, closed, cover
from instance.learning.vocabulary import LANGUAGE, vocabulary
from schemas.fingerprint import fingerprint

SEQUENCE: Final = "sequence"
PATTERNS_MAX: Final = 500
"""Of one language."""
FILES_MIN: Final = 2
ORDERED_MIN: Final = 0.7
"""In so many of the functions that make both calls one must come before the other, or their order tells nothing."""
_EVERYDAY = frozenset({"fmt", "typing"})  # used next to everything, together with nothing
_THEN = "->"
_MEMBERS = re.compile(r"(::|\.)")


def usage_patterns(
    per_file: Mapping[str, Sequence[LibraryCalls]], language: str, limit: int = PATTERNS_MAX
) -> list[Candidate]:
    """Return the call sequences of at least two files, the most telling first, by the calls of each file.

    Every closed sequence counts, so that repositories that have some in common agree on which; those that explain
    calls no better one does come before the rest. None has a call twice, or calls that come in any order.
    """
    libraries: defaultdict[str, _Library] = defaultdict(_Library)
    for path in sorted(per_file):
        for one in per_file[path]:
            libraries[one.library].add(path, one.calls)
    ranked = [
        (not leads, -found.gain, name, found)
        for name in sorted(libraries.keys() - _EVERYDAY)
        for leads, found in libraries[name].ranked(limit)
    ]
    candidates = (
        Candidate(_idiom(found.calls, name, language), *libraries[name].support(found.calls))
        for _, _, name, found in sorted(ranked)
    )
    return list(islice((candidate for candidate in candidates if candidate.files >= FILES_MIN), limit))


class _Library:
    """The call sequences of one library, and the files they are from."""

    def __init__(self) -> None:
        self.sequences: list[Calls] = []
        self.paths: list[str] = []

    def add(self, path: str, calls: Calls) -> None:
        """Add what one function calls."""
        self.sequences.append(calls)
        self.paths.append(path)

    @cached_property
    def index(self) -> Index:
        """Where all calls are, once all are there."""
        return Index(self.sequences)

    def ranked(self, limit: int) -> list[tuple[bool, CallSequence]]:
        """Return the best patterns, each with whether it is one of those that cover the calls."""
        patterns = {
            calls: support
            for calls, support in closed(self.sequences, repeats=False).items()
            if all(self._in_order(*pair) for pair in pairwise(calls))
        }
        chosen = cover(self.sequences, patterns, limit)
        rest = patterns.keys() - {found.calls for found in chosen}
        best = nlargest(limit, rest, key=lambda calls: (patterns[calls], len(calls), calls))
        others = (CallSequence(calls, patterns[calls], float(patterns[calls] * len(calls))) for calls in best)
        return [*((True, found) for found in chosen), *((False, found) for found in others)]

    def support(self, calls: Calls) -> tuple[int, int]:
        """Return in how many files and functions the calls are."""
        numbers = self.index.holding(calls)
        return len({self.paths[number] for number in numbers}), len(numbers)

    @cached_property
    def _in_order(self) -> Callable[[str, str], bool]:
        return cache(lambda first, second: self.index.comes_first(first, second) >= ORDERED_MIN)


def _idiom(calls: Calls, library: str, language: str) -> Idiom:
    """Return a sequence as a template, `a . b -> c . d`: spaced like all templates."""
    parts = [_parts(call, library) for call in calls]
    template = f" {_THEN} ".join(" ".join(one) for one in parts)
    family = LANGUAGES[language].fingerprint_name
    owner = LANGUAGE if _is_standard(library, language) else library
    names = dict.fromkeys((name, owner) for one in parts for name in _names(one, library))
    identity = fingerprint(family, SEQUENCE, template)
    tokens = sum(map(len, parts)) + len(parts) - 1
    return Idiom(identity, family, SEQUENCE, template, tuple(names), tokens, 0)


def _is_standard(library: str, language: str) -> bool:
    known = vocabulary(language)
    return library in known.bare or origin_of(library, known, frozenset()) in {LANGUAGE, language}


def _parts(call: str, library: str) -> list[str]:
    """Split `net/http.Client.Do` into `net/http`, `.`, `Client`, `.`, `Do`; dots in the library's name part nothing."""
    if not call.startswith(library):
        return _MEMBERS.split(call)
    package, *members = _MEMBERS.split(call[len(library) :])
    return [library + package, *members]


def _names(parts: Sequence[str], library: str) -> Iterator[str]:
    """Go through the names in a call: the library, its package, members."""
    package, *members = parts[::2]
    if package.startswith(library):
        yield library
        package = package[len(library) :]
    yield from filter(None, package.split("/"))
    yield from members
