"""Which labels a statement is written with: its bodies or arguments folded away, or in full."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec import Struct

from instance.analysis.language import Role
from instance.analysis.languages import LANGUAGES
from instance.analysis.tokens import NOWHERE, Tokens
from instance.learning.information import FOLD_BITS, PUNCTUATION_BITS, TELLING_BITS_MIN, running_bits
from instance.learning.templates import BREAK, CLOSE, FOLDED_ARGUMENTS, FOLDED_BODY, OPEN, Labels

_CALLED = frozenset({Role.NAME, Role.FIELD})
_PARAMETRISED = frozenset({Role.NAME, Role.FIELD, Role.DEFINITION})
_DOTS = frozenset({".", "?.", "::"})
_PARENTHESES = frozenset("()")
_CHAIN_MAX = 16
_MARKS = (CLOSE, BREAK, OPEN)  # in the order they have where they meet
_CLOSE, _BREAK, _OPEN = range(3)

Cut = tuple[int, int, str]
"""Tokens from a start up to an end, and the fold that stands for them."""

Spans = tuple[tuple[int, int], ...]
"""Tokens from starts up to ends, in order."""


class Fragment(Struct, gc=False):
    """A part of a file as a template writes it: spans of tokens, a mark after each but the last, cost and length.

    `text` is filled in when it is first asked for: most fragments are priced, and few are written.
    """

    spans: Spans
    marks: tuple[str, ...]
    bits: float
    size: int
    text: str = ""


class Layout:
    """The fragments of one file."""

    def __init__(self, tokens: Tokens, labels: Labels) -> None:
        self.tokens = tokens
        self.labels = labels
        self.is_indented = LANGUAGES[tokens.language].indented
        self.price = running_bits(labels.texts, labels.names)
        self.folds = self._outermost_bodies()
        self.partners = self._parentheses()
        self.openers = self._openers()
        self.pairs = [(opener, self.partners[opener]) for opener in self.openers]

    def bits(self, statement: int) -> float:
        """Return what a statement costs in full."""
        return self.price[self.tokens.ends[statement]] - self.price[self.tokens.starts[statement]]

    def folded(self, statement: int) -> Fragment:
        """Return a statement with every body as `{…}`."""
        return self._cut(self.tokens.starts[statement], self.tokens.ends[statement], self.folds.get(statement, ()))

    def opening(self, statement: int) -> Fragment:
        """Return what stands before the first body of a statement."""
        return self._cut(self.tokens.starts[statement], self.folds[statement][0][0], ())

    def unfolded(self, statement: int) -> Fragment:
        """Return a statement in full, with marks where indentation or line ends tell something."""
        at, end = self.tokens.starts[statement], self.tokens.ends[statement]
        bits, size = self.price[end] - self.price[at], end - at
        spans, marks = [], []
        for place, mark in self._marks(statement):
            spans.append((at, place))
            marks.append(_MARKS[mark])
            at = place
        return Fragment((*spans, (at, end)), tuple(marks), bits + PUNCTUATION_BITS * len(marks), size + len(marks))

    def text(self, fragment: Fragment) -> str:
        """Return the labels and marks of a fragment, joined by spaces."""
        if not fragment.text:
            texts = self.labels.texts
            start, end = fragment.spans[0]
            parts = texts[start:end]
            if fragment.marks:
                for (start, end), mark in zip(fragment.spans[1:], fragment.marks, strict=True):
                    parts.append(mark)
                    parts += texts[start:end]
            fragment.text = " ".join(parts)
        return fragment.text

    def calls(self, statement: int) -> list[tuple[int, int]]:
        """Return where parentheses after a name open and close in a statement, but not in its bodies."""
        openers, pairs = self.openers, self.pairs
        at, end = self.tokens.starts[statement], self.tokens.ends[statement]
        found: list[tuple[int, int]] = []
        for body_start, body_end, _ in self.folds.get(statement, ()):
            found += pairs[bisect_right(openers, at) : bisect_left(openers, body_start)]
            at = body_end - 1
        found += pairs[bisect_right(openers, at) : bisect_left(openers, end)]
        return found

    def outlined(self, statement: int, calls: list[tuple[int, int]]) -> Fragment | None:
        """Return a statement with its bodies and its outermost arguments folded; None when it has no arguments."""
        cuts = [(opener, closer + 1, FOLDED_ARGUMENTS) for opener, closer in calls if closer > opener + 1]
        if not cuts:
            return None
        outermost: list[Cut] = []
        for cut in sorted([*cuts, *self.folds.get(statement, ())]):
            if not outermost or cut[0] >= outermost[-1][1]:
                outermost.append(cut)
        return self._cut(self.tokens.starts[statement], self.tokens.ends[statement], outermost)

    def inner_calls(self, statement: int, calls: list[tuple[int, int]]) -> Iterator[Fragment]:
        """Go through the calls of public names that are a part of a statement, each from the head of its chain."""
        start, end = self.tokens.starts[statement], self.tokens.ends[statement]
        for opener, closer in calls:
            if self.labels.names[opener - 1] is None or self.tokens.roles[opener - 1] not in _CALLED:
                continue
            head, after = self._head(opener - 1), closer + 1
            if (
                head >= start
                and after - head < end - start
                and self.price[after] - self.price[head] >= TELLING_BITS_MIN  # before anything is built
            ):
                yield self._cut(head, after, [cut for cut in self.folds.get(statement, ()) if head < cut[0] < after])

    def _marks(self, statement: int) -> list[tuple[int, int]]:
        """Return before which tokens what stands: breaks between the statements of a body, and braces.

        Where indentation is grammar there are braces around bodies of more than one simple statement.
        """
        tokens, bodies = self.tokens, self._members(statement)
        marks = [(tokens.starts[member], _BREAK) for members in bodies.values() for member in members[1:]]
        if self.is_indented:
            for body, members in bodies.items():
                if self._needs_braces(members):
                    marks += ((tokens.body_starts[body], _OPEN), (tokens.body_ends[body], _CLOSE))
        return sorted(marks)

    def _needs_braces(self, members: list[int]) -> bool:
        return len(members) > 1 or any(member in self.folds for member in members)

    def _members(self, statement: int) -> dict[int, list[int]]:
        """Return the statements that have tokens left, in each body inside a statement."""
        starts, ends, homes = self.tokens.starts, self.tokens.ends, self.tokens.homes
        end = ends[statement]
        bodies: defaultdict[int, list[int]] = defaultdict(list)
        for inner in range(statement + 1, len(starts)):  # in order of their starts, so the inner ones come next
            if starts[inner] >= end:
                break
            if ends[inner] > starts[inner]:
                bodies[homes[inner]].append(inner)
        return bodies

    def _cut(self, start: int, end: int, cuts: Iterable[Cut]) -> Fragment:
        """Return the tokens from `start` to `end` with folds for the cuts, which stand in order and apart."""
        price = self.price
        bits, size = price[end] - price[start], end - start
        if not cuts:
            return Fragment(((start, end),), (), bits, size)
        spans, folds = [], []
        for cut_start, cut_end, fold in cuts:
            bits += price[cut_start] - price[cut_end] + FOLD_BITS
            size += cut_start - cut_end + 1
            spans.append((start, cut_start))
            folds.append(fold)
            start = cut_end
        return Fragment((*spans, (start, end)), tuple(folds), bits, size)

    def _head(self, callee: int) -> int:
        """Return the first token of the chain that ends with a callee; -1 when it does not begin with a name."""
        texts, roles = self.tokens.texts, self.tokens.roles
        head = callee
        for _ in range(_CHAIN_MAX):
            if head < 2 or texts[head - 1] not in _DOTS:  # noqa: PLR2004 - a name and a dot
                return head - 1 if head and texts[head - 1] == "new" else head
            head -= 2
            if texts[head] == ")":
                head = self.partners.get(head, 0) - 1
                if head < 0 or roles[head] not in _CALLED:
                    return -1
            elif not roles[head] and not texts[head].isalpha():
                return -1
        return -1

    def _parentheses(self) -> dict[int, int]:
        """Return where the partner of each parenthesis stands that has one."""
        partners: dict[int, int] = {}
        waiting: list[int] = []
        for at, text in enumerate(self.tokens.texts):
            if text == "(":
                waiting.append(at)
            elif text == ")" and waiting:
                opener = waiting.pop()
                partners[opener], partners[at] = at, opener
        return partners

    def _openers(self) -> list[int]:
        """Return where parentheses open after a name, in order."""
        roles = self.tokens.roles
        return sorted([at for at, partner in self.partners.items() if at < partner and roles[at - 1] in _PARAMETRISED])

    def _outermost_bodies(self) -> dict[int, list[Cut]]:
        tokens = self.tokens
        folds: dict[int, list[Cut]] = {}
        for owner, start, end in zip(tokens.owners, tokens.body_starts, tokens.body_ends, strict=True):
            if owner != NOWHERE:
                known = folds.setdefault(owner, [])
                if not known or start >= known[-1][1]:
                    known.append((start, end, FOLDED_BODY))
        return folds
