"""The functions, methods and classes that are open at the cursor, and the list of all there are in a file."""

from __future__ import annotations

import re
from collections.abc import Sequence

import tree_sitter

from instance.analysis.grammar import Grammar
from instance.analysis.language import CLASS, FUNCTION, METHOD, Role
from instance.analysis.tokens import Definition, Tokens

_WORD = re.compile(rb"[a-z]+")
_ASSIGNED = frozenset({Role.BINDING, Role.LABEL})


class Definitions:
    """Fills `Tokens.definitions`."""

    def __init__(self, source: bytes, rules: Grammar, tokens: Tokens, roles: Sequence[int]) -> None:
        self._source = source
        self._kinds = rules.defines
        self._words = rules.language.definition_words
        self._tokens = tokens
        self._roles = roles  # as far as they are known
        self._open: list[tuple[int, str]] = []  # the place in the list, and what is defined

    def begin_at(self, node: tree_sitter.Node) -> str | None:
        """Return what the first word of a statement defines, in a language where only words tell."""
        match = _WORD.match(self._source, node.start_byte) if self._words else None
        return self._words.get(match[0].decode()) if match else None

    def open(self, kind: int, node: tree_sitter.Node) -> None:
        """Open a definition; a function directly in a class is a method, one that is assigned has its target's name."""
        texts, roles = self._tokens.texts, self._roles
        what = self._kinds.get(kind) or self.begin_at(node) or FUNCTION
        if what == FUNCTION and self._open and self._open[-1][1] == CLASS and not self._words:
            what = METHOD
        is_assigned = texts[-1:] == ["="] and roles[-2] in _ASSIGNED
        definition = Definition(
            what, texts[-2] if is_assigned else "", node.start_byte, node.end_byte, len(texts), len(texts)
        )
        self._open.append((len(self._tokens.definitions), what))
        self._tokens.definitions.append(definition)

    def call(self, name: str) -> None:
        """Give the innermost definition its name, if it has none yet."""
        if self._open:
            place = self._open[-1][0]
            definition = self._tokens.definitions[place]
            if not definition.name:
                self._tokens.definitions[place] = Definition(definition.kind, name, *definition[2:])

    def close(self) -> None:
        """Close the innermost definition; where a word defines, the one after it is the name."""
        texts, place = self._tokens.texts, self._open.pop()[0]
        kind, name, start_byte, end_byte, first_token, _ = self._tokens.definitions[place]
        if not name and self._words:
            name = "".join(texts[first_token + 1 : first_token + 2])
        self._tokens.definitions[place] = Definition(kind, name, start_byte, end_byte, first_token, len(texts))

    def drop_nameless(self) -> None:
        """Drop what has no name: a lambda, an implementation block."""
        self._tokens.definitions[:] = [definition for definition in self._tokens.definitions if definition.name]
