"""The idioms of one file: its statements, headers, bodies and pairs as templates, each with its fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from instance.analysis.language import Language, Role
from instance.analysis.parse import parse
from instance.analysis.tokens import Tokens
from instance.learning.information import TELLING_BITS_MIN, bits
from instance.learning.layout import Layout
from instance.learning.templates import BREAK, Pieces, hole, pieces
from instance.learning.vocabulary import Vocabulary
from schemas.fingerprint import fingerprint

TOKENS_MAX = 48
TOKENS_MIN = 3
_NAME = int(Role.NAME)
STATEMENT, HEADER, BODY, PAIR = "statement", "header", "body", "pair"


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
    miner = _Miner(tokens, pieces(tokens, context.vocabulary, context.own))
    miner.run()
    return FilePatterns(miner.occurrences, miner.idioms, tokens.left_out)


class _Rendered(NamedTuple):
    """A template: what it was made of (tokens and marks), its parts, and the holes by what links them."""

    items: list[int]
    parts: list[str]
    holes: dict[str, str]


class _Miner:
    """One pass over the statements of one file."""

    def __init__(self, tokens: Tokens, shown: Pieces) -> None:
        self.tokens = tokens
        self.pieces = shown
        self.layout = Layout(tokens)
        self.language = self.layout.language.fingerprint_name
        self.occurrences: dict[bytes, int] = {}
        self.idioms: dict[bytes, Idiom] = {}
        self.known: dict[tuple[str, str], bytes | None] = {}
        self.previous: dict[int, _Rendered] = {}  # by body: the statement before

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
        folds = layout.folds.get(statement)
        before = self.previous.pop(home, None)
        items = layout.folded(statement)
        if len(items) <= TOKENS_MAX:
            header = self.previous[home] = self._render(items)
            self._record(HEADER if folds else STATEMENT, header)
            if before is not None and home and self._belong_together(before, header):
                self._record(PAIR, self._render([*before.items, BREAK, *header.items]))
        if folds and self.tokens.ends[statement] - self.tokens.starts[statement] <= TOKENS_MAX:
            self._record(BODY, self._render(layout.unfolded(statement)))

    def _belong_together(self, first: _Rendered, second: _Rendered) -> bool:
        """Tell whether the second statement uses a variable of the first, and is not the same shape again."""
        if len(first.parts) + len(second.parts) >= TOKENS_MAX or first.parts == second.parts:
            return False
        roles, links = self.tokens.roles, self.pieces.links
        return any(item >= 0 and roles[item] == _NAME and links[item] in first.holes for item in second.items)

    def _render(self, items: list[int]) -> _Rendered:
        shown, links = self.pieces.shown, self.pieces.links
        parts: list[str] = []
        holes: dict[str, str] = {}
        for item in items:
            text = shown[item]
            if text is None:
                link = links[item]
                text = holes.get(link)
                if text is None:
                    text = holes[link] = hole(link, len(holes) + 1)
            parts.append(text)
        return _Rendered(items, parts, holes)

    def _record(self, view: str, rendered: _Rendered) -> None:
        if not TOKENS_MIN <= len(rendered.parts) <= TOKENS_MAX:
            return
        key = (view, " ".join(rendered.parts))
        if key not in self.known:
            self.known[key] = self._introduce(*key, rendered)
        identity = self.known[key]
        if identity is not None:
            self.occurrences[identity] = self.occurrences.get(identity, 0) + 1

    def _introduce(self, view: str, template: str, rendered: _Rendered) -> bytes | None:
        """Add a template seen for the first time in this file; None when it tells too little."""
        found = map(self.pieces.names.__getitem__, rendered.items)
        names = tuple(dict.fromkeys((shown.name, shown.origin) for shown in found if shown is not None))
        if bits(template, names) < TELLING_BITS_MIN:
            return None
        identity = fingerprint(self.language, view, template)
        self.idioms[identity] = Idiom(
            identity, self.language, view, template, names, len(rendered.parts), len(rendered.holes)
        )
        return identity
