"""The idioms of one file: what its statements are made of, seen in several ways, each with its fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Final

import msgspec

from instance.analysis.language import Language
from instance.analysis.languages import LANGUAGES
from instance.analysis.parse import parse
from instance.analysis.tokens import Tokens
from instance.learning.information import PUNCTUATION_BITS, TELLING_BITS_MIN
from instance.learning.layout import Fragment, Layout
from instance.learning.templates import Labels, label, numbered
from instance.learning.vocabulary import Vocabulary
from schemas.fingerprint import fingerprint

TOKENS_MAX: Final = 48
TOKENS_MIN: Final = 3
HALF_BITS_MIN: Final = 4.0  # what each of two fragments seen together must say by itself
NESTED_MAX: Final = 3  # statements of a body that are seen together with what is around it: habits begin a body

STATEMENT: Final = "statement"
HEADER: Final = "header"
"""A statement with its bodies folded."""
BODY: Final = "body"
"""A statement with its bodies in full."""
OUTLINE: Final = "outline"
"""A statement with its bodies and arguments folded."""
PAIR: Final = "pair"
"""Two statements, the second of which uses a variable of the first."""
NESTED: Final = "nested"
"""The opening of a statement and one in its body that uses a variable of it."""
CALL: Final = "call"
"""A call of a public name inside a statement."""


class Idiom(msgspec.Struct, frozen=True, gc=False):
    """One template with its public names and their origins ("language" or a package root); holes are distinct ones."""

    fingerprint: bytes
    language: str
    view: str
    template: str
    names: tuple[tuple[str, str], ...]
    tokens: int
    holes: int


class FilePatterns(msgspec.Struct, frozen=True):
    """What one file contributes: how often each idiom occurs in it, and what each idiom is."""

    occurrences: dict[bytes, int]
    idioms: dict[bytes, Idiom]
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class FileContext:
    """What mining must know beyond the file: the public names, and the repository's own module prefixes."""

    vocabulary: Vocabulary
    own: frozenset[str] = frozenset()


def study(source: bytes, language: Language, context: FileContext) -> FilePatterns:
    """Parse and mine one file; safe on any bytes, and fit for a process pool."""
    return mine(parse(source, language), context)


def mine(tokens: Tokens, context: FileContext) -> FilePatterns:
    """Return the idioms of one parsed file."""
    miner = _Miner(tokens, label(tokens, context.vocabulary, context.own))
    miner.run()
    return FilePatterns(miner.occurrences, miner.idioms, tokens.left_out)


class _Miner:
    """One pass over the statements of one file."""

    def __init__(self, tokens: Tokens, labels: Labels) -> None:
        self.tokens = tokens
        self.labels = labels
        self.layout = Layout(tokens, labels)
        self.language = LANGUAGES[tokens.language].fingerprint_name
        self.occurrences: dict[bytes, int] = {}
        self.idioms: dict[bytes, Idiom] = {}
        self.known: dict[tuple[str, str], bytes] = {}
        self.openings: dict[int, Fragment] = {}  # by statement
        self.places: dict[int, int] = {}  # by body: how many of its statements were seen
        self.previous: dict[int, Fragment] = {}  # by body: the statement before

    def run(self) -> None:
        tokens = self.tokens
        imports = {start for start, _ in tokens.imports}
        for statement, start in enumerate(tokens.starts):
            if start == tokens.ends[statement] or start in imports:
                continue
            if tokens.whole[statement]:
                self._statement(statement)
            else:
                self.previous.pop(tokens.homes[statement], None)

    def _statement(self, statement: int) -> None:
        layout, home = self.layout, self.tokens.homes[statement]
        has_body = statement in layout.folds
        folded = layout.folded(statement)
        if folded.bits >= TELLING_BITS_MIN:
            self._record(HEADER if has_body else STATEMENT, folded)
            self._inside(statement)
        if has_body:
            self._with_body(statement)
        before = self.previous.pop(home, None) if home else None
        place = self.places[home] = self.places.get(home, 0) + 1
        if folded.bits < HALF_BITS_MIN or len(folded.parts) > TOKENS_MAX:
            return
        self.previous[home] = folded
        if before is not None and self._belong_together(before, folded):
            self._record(PAIR, before.then(folded))
        around = self.openings.get(self.tokens.owners[home]) if place <= NESTED_MAX else None
        if around is not None and self._belong_together(around, folded):
            self._record(NESTED, around.then(folded))

    def _inside(self, statement: int) -> None:
        """Record a statement's outline and its calls."""
        calls = self.layout.calls(statement)
        if calls:
            outline = self.layout.outlined(statement, calls)
            if outline is not None:
                self._record(OUTLINE, outline)
            for call in self.layout.inner_calls(statement, calls):
                self._record(CALL, call)

    def _with_body(self, statement: int) -> None:
        opening = self.layout.opening(statement)
        if opening.bits >= HALF_BITS_MIN and len(opening.parts) < TOKENS_MAX:
            self.openings[statement] = opening
        if self.tokens.ends[statement] - self.tokens.starts[statement] <= TOKENS_MAX:
            self._record(BODY, self.layout.unfolded(statement))

    def _belong_together(self, first: Fragment, second: Fragment) -> bool:
        """Tell whether the second fragment uses a variable of the first, and is not the same shape again."""
        if (
            first.bits + second.bits + PUNCTUATION_BITS < TELLING_BITS_MIN
            or len(first.parts) + len(second.parts) >= TOKENS_MAX
        ):
            return False
        uses, labels = self.labels.uses, set(first.parts)
        used = chain.from_iterable([uses[start:end] for start, end in second.spans])
        return not labels.isdisjoint(used) and _differ(first, second)

    def _record(self, view: str, fragment: Fragment) -> None:
        parts = fragment.parts
        if fragment.bits < TELLING_BITS_MIN or not TOKENS_MIN <= len(parts) <= TOKENS_MAX:
            return
        key = (view, " ".join(parts))
        identity = self.known.get(key)
        if identity is None:
            identity = self.known[key] = self._introduce(*key, fragment)
        self.occurrences[identity] = self.occurrences.get(identity, 0) + 1

    def _introduce(self, view: str, text: str, fragment: Fragment) -> bytes:
        """Number the holes of what is seen for the first time in this file."""
        names = self.labels.names
        found = chain.from_iterable([names[start:end] for start, end in fragment.spans])
        public = tuple([name for name in dict.fromkeys(found) if name is not None])
        template, holes = numbered(text)
        identity = fingerprint(self.language, view, template)
        self.idioms[identity] = Idiom(identity, self.language, view, template, public, len(fragment.parts), holes)
        return identity


def _differ(first: Fragment, second: Fragment) -> bool:
    return len(first.parts) != len(second.parts) or numbered(" ".join(first.parts)) != numbered(" ".join(second.parts))
