"""Which labels a statement is written with: its bodies or arguments folded away, or in full."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from instance.analysis.language import Role
from instance.analysis.languages import LANGUAGES
from instance.analysis.tokens import NOWHERE, Tokens
from instance.learning.information import FOLD_BITS, PUNCTUATION_BITS, TELLING_BITS_MIN, running_bits
from instance.learning.templates import BREAK, CLOSE, FOLDED_ARGUMENTS, FOLDED_BODY, OPEN, Labels

_CALLED = frozenset({Role.NAME, Role.FIELD})
_PARAMETRISED = frozenset({Role.NAME, Role.FIELD, Role.DEFINITION})
_DOTS = frozenset({".", "?.", "::"})
_CHAIN_MAX = 16


class Cut(NamedTuple):
    """Tokens that a fold stands for."""

    start: int
    end: int
    fold: str


class Fragment(NamedTuple):
    """A part of a file as a template writes it: labels and marks, what they cost, and the spans of tokens left."""

    parts: list[str]
    bits: float
    spans: tuple[tuple[int, int], ...]

    def then(self, other: Fragment) -> Fragment:
        """Return this fragment and another one after a break."""
        bits = self.bits + PUNCTUATION_BITS + other.bits
        return Fragment([*self.parts, BREAK, *other.parts], bits, self.spans + other.spans)


class Layout:
    """The fragments of one file."""

    def __init__(self, tokens: Tokens, labels: Labels) -> None:
        self.tokens = tokens
        self.labels = labels
        self.is_indented = LANGUAGES[tokens.language].indented
        self.price = running_bits(labels.texts, labels.names)
        self.folds = self._outermost_bodies()
        self.closers = self._parentheses()
        self.openers = sorted(self.closers)
        self.matching = {closer: opener for opener, closer in self.closers.items()}

    def folded(self, statement: int) -> Fragment:
        """Return a statement with every body as `{…}`."""
        return self._cut(self.tokens.starts[statement], self.tokens.ends[statement], self.folds.get(statement, ()))

    def opening(self, statement: int) -> Fragment:
        """Return what stands before the first body of a statement."""
        return self._cut(self.tokens.starts[statement], self.folds[statement][0].start, ())

    def unfolded(self, statement: int) -> Fragment:
        """Return a statement in full, with marks where indentation or line ends tell something."""
        start, end = self.tokens.starts[statement], self.tokens.ends[statement]
        marks = self._marks(statement)
        parts: list[str] = []
        at = start
        for place in sorted(marks):
            parts += self.labels.texts[at:place]
            parts += marks[place]
            at = place
        parts += self.labels.texts[at:end]
        bits = self.price[end] - self.price[start] + PUNCTUATION_BITS * (len(parts) - (end - start))
        return Fragment(parts, bits, ((start, end),))

    def calls(self, statement: int) -> list[tuple[int, int]]:
        """Return where parentheses after a name open and close in a statement, but not in its bodies."""
        openers, closers, roles = self.openers, self.closers, self.tokens.roles
        found: list[tuple[int, int]] = []
        at, end = self.tokens.starts[statement], self.tokens.ends[statement]
        for cut in (*self.folds.get(statement, ()), Cut(end, end, "")):
            here = openers[bisect_right(openers, at) : bisect_left(openers, cut.start)]
            found += [(opener, closers[opener]) for opener in here if roles[opener - 1] in _PARAMETRISED]
            at = cut.end - 1
        return found

    def outlined(self, statement: int, calls: list[tuple[int, int]]) -> Fragment | None:
        """Return a statement with its bodies and its outermost arguments folded; None when it has no arguments."""
        cuts = [Cut(opener, closer + 1, FOLDED_ARGUMENTS) for opener, closer in calls if closer > opener + 1]
        if not cuts:
            return None
        outermost: list[Cut] = []
        for cut in sorted([*cuts, *self.folds.get(statement, ())]):
            if not outermost or cut.start >= outermost[-1].end:
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
                yield self._cut(head, after, [cut for cut in self.folds.get(statement, ()) if head < cut.start < after])

    def _marks(self, statement: int) -> dict[int, list[str]]:
        """Return what stands before which tokens: breaks between the statements of a body, and braces.

        Where indentation is grammar there are braces around bodies of more than one simple statement.
        """
        tokens, marks = self.tokens, defaultdict[int, list[str]](list)
        bodies = self._members(statement)
        braced = [body for body in bodies if self.is_indented and self._needs_braces(bodies[body])]
        for body in reversed(braced):  # what was opened last is closed first
            marks[tokens.body_ends[body]].append(CLOSE)
        for members in bodies.values():
            for member in members[1:]:
                marks[tokens.starts[member]].append(BREAK)
        for body in braced:
            marks[tokens.body_starts[body]].append(OPEN)
        return marks

    def _needs_braces(self, members: list[int]) -> bool:
        return len(members) > 1 or any(member in self.folds for member in members)

    def _members(self, statement: int) -> dict[int, list[int]]:
        """Return the statements that have tokens left, in each body inside a statement."""
        starts, ends, homes = self.tokens.starts, self.tokens.ends, self.tokens.homes
        end, bodies = ends[statement], defaultdict[int, list[int]](list)
        for inner in range(statement + 1, len(starts)):  # in order of their starts, so the inner ones come next
            if starts[inner] >= end:
                break
            if ends[inner] > starts[inner]:
                bodies[homes[inner]].append(inner)
        return bodies

    def _cut(self, start: int, end: int, cuts: Iterable[Cut]) -> Fragment:
        """Return the tokens from `start` to `end` with folds for the cuts, which stand in order and apart."""
        texts, price = self.labels.texts, self.price
        if not cuts:
            return Fragment(texts[start:end], price[end] - price[start], ((start, end),))
        parts: list[str] = []
        bits, spans = 0.0, []
        for cut in cuts:
            parts += texts[start : cut.start]
            parts.append(cut.fold)
            bits += price[cut.start] - price[start] + FOLD_BITS
            spans.append((start, cut.start))
            start = cut.end
        parts += texts[start:end]
        return Fragment(parts, bits + price[end] - price[start], (*spans, (start, end)))

    def _head(self, callee: int) -> int:
        """Return the first token of the chain that ends with a callee; -1 when it does not begin with a name."""
        texts, roles = self.tokens.texts, self.tokens.roles
        head = callee
        for _ in range(_CHAIN_MAX):
            if head < 2 or texts[head - 1] not in _DOTS:  # noqa: PLR2004 - a name and a dot
                return head - 1 if head and texts[head - 1] == "new" else head
            head -= 2
            if texts[head] == ")":
                head = self.matching.get(head, 0) - 1
                if head < 0 or roles[head] not in _CALLED:
                    return -1
            elif not roles[head] and not texts[head].isalpha():
                return -1
        return -1

    def _parentheses(self) -> dict[int, int]:
        """Return where each parenthesis closes, by where it opens."""
        texts = self.tokens.texts
        pairs: dict[int, int] = {}
        waiting: list[int] = []
        for at in [at for at, text in enumerate(texts) if text == "(" or text == ")"]:  # noqa: PLR1714 - a set is slower
            if texts[at] == "(":
                waiting.append(at)
            elif waiting:
                pairs[waiting.pop()] = at
        return pairs

    def _outermost_bodies(self) -> dict[int, list[Cut]]:
        tokens = self.tokens
        folds: dict[int, list[Cut]] = {}
        for owner, start, end in zip(tokens.owners, tokens.body_starts, tokens.body_ends, strict=True):
            if owner != NOWHERE:
                known = folds.setdefault(owner, [])
                if not known or start >= known[-1].end:
                    known.append(Cut(start, end, FOLDED_BODY))
        return folds
