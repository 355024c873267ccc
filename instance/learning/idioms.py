"""The idioms of one file: what its statements are made of, seen in several ways, each with its fingerprint."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import msgspec

from instance.analysis.language import Language
from instance.analysis.languages import LANGUAGES
from instance.analysis.parse import parse
from instance.analysis.tokens import Tokens
from instance.learning.information import PUNCTUATION_BITS, TELLING_BITS_MIN
from instance.learning.layout import Fragment, Layout, Spans
from instance.learning.templates import BREAK, Labels, Shown, label, numbered
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
        self.known: defaultdict[str, dict[str, bytes]] = defaultdict(dict)  # by view and labels
        self.openings: dict[int, Fragment] = {}  # by statement
        self.places: dict[int, int] = {}  # by body: how many of its statements were seen
        self.previous: dict[int, Fragment] = {}  # by body: the statement before

    def run(self) -> None:
        tokens = self.tokens
        imports = {start for start, _ in tokens.imports}
        for statement, (start, end, home) in enumerate(zip(tokens.starts, tokens.ends, tokens.homes, strict=True)):
            if start == end or start in imports:
                continue
            before = self.previous.pop(home, None)
            if tokens.whole[statement]:
                self._statement(statement, home, before if home else None)

    def _statement(self, statement: int, home: int, before: Fragment | None) -> None:
        """Record one statement by itself, after the one before it and with what is around it."""
        place = self.places[home] = self.places.get(home, 0) + 1
        has_body = statement in self.layout.folds
        if not has_body and self.layout.bits(statement) < HALF_BITS_MIN:
            return
        folded = self.layout.folded(statement)
        if folded.bits >= TELLING_BITS_MIN:
            self._record(HEADER if has_body else STATEMENT, folded)
            self._inside(statement)
        if has_body:
            self._with_body(statement)
        if folded.bits < HALF_BITS_MIN or folded.size > TOKENS_MAX:
            return
        self.previous[home] = folded
        if before is not None and self._belong_together(before, folded):
            self._record_both(PAIR, before, folded)
        around = self.openings.get(self.tokens.owners[home]) if place <= NESTED_MAX else None
        if around is not None and self._belong_together(around, folded):
            self._record_both(NESTED, around, folded)

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
        if opening.bits >= HALF_BITS_MIN and opening.size < TOKENS_MAX:
            self.openings[statement] = opening
        if self.tokens.ends[statement] - self.tokens.starts[statement] <= TOKENS_MAX:
            self._record(BODY, self.layout.unfolded(statement))

    def _belong_together(self, first: Fragment, second: Fragment) -> bool:
        """Tell whether the second fragment uses a variable of the first, and is not the same shape again."""
        if first.bits + second.bits + PUNCTUATION_BITS < TELLING_BITS_MIN or first.size + second.size >= TOKENS_MAX:
            return False
        texts, uses = self.labels.texts, self.labels.uses
        used: set[str] = set()
        for start, end in second.spans:
            used.update(uses[start:end])
        for start, end in first.spans:
            if not used.isdisjoint(texts[start:end]):
                return self._differ(first, second)
        return False

    def _differ(self, first: Fragment, second: Fragment) -> bool:
        return first.size != second.size or numbered(self.layout.text(first)) != numbered(self.layout.text(second))

    def _record(self, view: str, fragment: Fragment) -> None:
        if fragment.bits >= TELLING_BITS_MIN and TOKENS_MIN <= fragment.size <= TOKENS_MAX:
            self._count(view, self.layout.text(fragment), fragment.size, fragment.spans)

    def _record_both(self, view: str, first: Fragment, second: Fragment) -> None:
        """Record two fragments, the second after a break."""
        text = f"{self.layout.text(first)} {BREAK} {self.layout.text(second)}"
        self._count(view, text, first.size + 1 + second.size, first.spans + second.spans)

    def _count(self, view: str, text: str, size: int, spans: Spans) -> None:
        known = self.known[view]
        identity = known.get(text)
        if identity is None:
            identity = known[text] = self._introduce(view, text, size, spans)
        self.occurrences[identity] = self.occurrences.get(identity, 0) + 1

    def _introduce(self, view: str, text: str, size: int, spans: Spans) -> bytes:
        """Number the holes of what is seen for the first time in this file."""
        names = self.labels.names
        found: list[Shown] = []
        for start, end in spans:
            found += filter(None, names[start:end])
        public = tuple(dict.fromkeys(found))
        template, holes = numbered(text)
        identity = fingerprint(self.language, view, template)
        self.idioms[identity] = Idiom(identity, self.language, view, template, public, size, holes)
        return identity
