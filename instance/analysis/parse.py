"""From source text to flat arrays of tokens and statements, in one pass over the syntax tree.

Hostile input costs bounded time and memory: the parser gets a budget of steps (not of seconds, so that every machine
leaves out the same files), the walk a maximal depth and number of tokens. What was left out is counted.
"""

from __future__ import annotations

import tree_sitter

from instance.analysis.grammar import (OPENS_BODY, OPENS_CLASS, OPENS_IMPORT, OPENS_SCOPE, OPENS_STATEMENT, Grammar, Step, grammar)
from instance.analysis.languages import Language, Role
from instance.analysis.tokens import NOWHERE, Tokens

MAX_SOURCE_BYTES = 1 << 20
MAX_TOKENS = 300_000
MAX_DEPTH = 250
MAX_PARSE_STEPS = 100_000
_CHUNK_BYTES = 1 << 16
_ERROR_KIND = 65535
_CLOSERS = frozenset(")]}")
_DOTS = frozenset({".", "?.", "::"})
_SEPARATORS = frozenset(";,")  # between statements or members: formatters add and drop them
_DOTTABLE = frozenset({Role.NAME, Role.LABEL, Role.BINDING})


def parse(source: bytes, language: Language) -> Tokens:
    """Parse one file; never raises on any bytes. What could not be read is counted in `left_out`."""
    tokens = Tokens(language.name)
    if len(source) > MAX_SOURCE_BYTES:
        tokens.leave_out("too_large")
        return tokens
    rules = grammar(language.name)
    tree = _tree(source, rules.parser)
    if tree is None:
        tokens.leave_out("parse_budget")
        return tokens
    _Walk(source, rules, tokens).run(tree.walk())
    broken = len(tokens.whole) - sum(tokens.whole)
    if broken:
        tokens.leave_out("broken_statements", broken)
    return tokens


def _tree(source: bytes, parser: tree_sitter.Parser) -> tree_sitter.Tree | None:
    steps = 0

    def exhausted(_offset: int, _has_error: bool) -> bool:  # noqa: FBT001 - the binding calls it by position
        nonlocal steps
        steps += 1
        return steps > MAX_PARSE_STEPS

    def chunk(offset: int, _point: tree_sitter.Point) -> bytes:
        return source[offset : offset + _CHUNK_BYTES]

    try:
        return parser.parse(chunk, progress_callback=exhausted)
    except ValueError:  # the binding's word for "cancelled"; without a reset it would resume this very file
        parser.reset()
        return None


class _Walk:
    """The state of one pass: what is open at the cursor, and the arrays being filled."""

    def __init__(self, source: bytes, rules: Grammar, tokens: Tokens) -> None:
        self.source = source
        self.rules = rules
        self.tokens = tokens
        self.parents: list[int] = []  # node kinds from the root to the cursor's parent
        self.passed: list[int] = []  # the role each of them hands down to names; 0 for none
        self.opened: list[int] = []  # what each of them opened, as a mask
        self.statements: list[int] = []
        self.bodies: list[int] = [NOWHERE]
        self.scopes: list[int] = [0]
        self.in_class: list[bool] = [False]
        self.import_start = 0
        self.decoded: dict[bytes, str] = {}
        self.trailing = _SEPARATORS if rules.language.optional_semicolons else frozenset(",")

    def run(self, cursor: tree_sitter.TreeCursor) -> None:
        """Visit every node once, depth first, without recursion."""
        rules, texts = self.rules, self.tokens.texts
        steps, opens, named = rules.steps, rules.opens, rules.takes_role
        while len(texts) < MAX_TOKENS:
            node: tree_sitter.Node = cursor.node  # type: ignore[assignment]  # a cursor always stands on a node
            kind = node.kind_id
            step = steps[kind] if kind != _ERROR_KIND else Step.SPOIL
            if step < Step.SKIP:
                mask = opens[kind] | self._statement(kind)
                if mask:
                    self._open(mask)
                role = self._role(cursor) if named[kind] else 0
                if step == Step.DESCEND and self._descend(cursor, kind, role, mask):
                    continue
                self._token(node, kind, step, role)
                if mask:
                    self._close(mask)
            elif step == Step.SPOIL:
                self._spoil("syntax_errors" if kind == _ERROR_KIND else "macros")
            if not self._advance(cursor):
                return
        self._abandon()

    def _descend(self, cursor: tree_sitter.TreeCursor, kind: int, role: int, mask: int) -> bool:
        if not cursor.goto_first_child():
            return False
        if len(self.parents) >= MAX_DEPTH:
            self._spoil("too_deep")
            cursor.goto_parent()
            return False
        self.parents.append(kind)
        self.passed.append(role if self.rules.transparent[kind] else 0)
        self.opened.append(mask)
        return True

    def _advance(self, cursor: tree_sitter.TreeCursor) -> bool:
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return False
            self.parents.pop()
            self.passed.pop()
            mask = self.opened.pop()
            if mask:
                self._close(mask)
        return True

    def _statement(self, kind: int) -> int:
        parents = self.parents
        if not parents or not self.rules.containers[parents[-1]] or self.rules.plain[kind]:
            return 0
        texts = self.tokens.texts
        return 0 if texts and texts[-1] == "case" else OPENS_STATEMENT  # what follows `case` is a value

    def _role(self, cursor: tree_sitter.TreeCursor) -> int:
        """Return the role names have here according to the parent; 0 when it has nothing to say."""
        if not self.parents:
            return 0
        table = self.rules.child_roles[self.parents[-1]]
        if table is None:
            return self.passed[-1]
        return table.get(cursor.field_id or 0) or table.get(0) or self.passed[-1]

    def _token(self, node: tree_sitter.Node, kind: int, step: int, role: int) -> None:
        start, end = node.start_byte, node.end_byte
        if start == end:
            if node.is_missing:
                self._spoil("syntax_errors")
            return
        raw = self.source[start:end]
        text = self.decoded.get(raw)
        if text is None:
            text = self.decoded[raw] = raw.decode("utf-8", "replace")
        rules = self.rules
        if step == Step.ATOM:
            self._add(text, rules.atom_roles[kind])
        elif rules.name_roles[kind]:
            self._name(text, role or rules.name_roles[kind])
        elif text in _CLOSERS:
            self._drop_comma(node)
            self._add(text, Role.MARK)
        elif text not in _SEPARATORS or not rules.containers[self.parents[-1]]:
            self._add(text, Role.MARK)

    def _name(self, text: str, role: int) -> None:
        texts = self.tokens.texts
        if role == Role.BINDING and self.rules.language.capitals_are_constants and text[0].isupper():
            role = Role.NAME
        if role in _DOTTABLE and texts and texts[-1] in _DOTS:
            role = Role.FIELD
        elif role in (Role.DEFINITION, Role.BINDING):
            outside = role == Role.DEFINITION and self.opened[-1] & (OPENS_SCOPE | OPENS_CLASS)
            level = -2 if outside else -1
            if not self.in_class[level]:
                self.tokens.bound.setdefault(text, set()).add(self.scopes[level])
        self._add(text, role)

    def _add(self, text: str, role: int) -> None:
        tokens = self.tokens
        tokens.texts.append(text)
        tokens.roles.append(role)
        tokens.scopes.append(self.scopes[-1])

    def _drop_comma(self, closer: tree_sitter.Node) -> None:
        """Drop a comma that only formatters care about; the one that makes `(x,)` a tuple stays."""
        tokens = self.tokens
        if not tokens.texts or tokens.texts[-1] != ",":
            return
        if self.rules.tuples[self.parents[-1]]:
            around = closer.parent
            if around is not None and around.named_child_count == 1:
                return
        self._drop_last()

    def _drop_last(self) -> None:
        tokens = self.tokens
        tokens.texts.pop()
        tokens.roles.pop()
        tokens.scopes.pop()

    def _open(self, mask: int) -> None:
        tokens, here = self.tokens, len(self.tokens.texts)
        if mask & OPENS_STATEMENT:
            self.statements.append(len(tokens.starts))
            tokens.starts.append(here)
            tokens.ends.append(here)
            tokens.homes.append(self.bodies[-1])
            tokens.whole.append(1)
        if mask & OPENS_BODY:
            self.bodies.append(len(tokens.owners))
            tokens.owners.append(self.statements[-1] if self.statements else NOWHERE)
            tokens.body_starts.append(here)
            tokens.body_ends.append(here)
        if mask & (OPENS_SCOPE | OPENS_CLASS):
            tokens.scope_parents.append(self.scopes[-1])
            self.scopes.append(len(tokens.scope_parents) - 1)
            self.in_class.append(bool(mask & OPENS_CLASS))
        if mask & OPENS_IMPORT:
            self.import_start = here

    def _close(self, mask: int) -> None:
        tokens = self.tokens
        if mask & OPENS_IMPORT:
            tokens.imports.append((self.import_start, len(tokens.texts)))
        if mask & (OPENS_SCOPE | OPENS_CLASS):
            self.scopes.pop()
            self.in_class.pop()
        if mask & OPENS_BODY:
            tokens.body_ends[self.bodies.pop()] = len(tokens.texts)
        if mask & OPENS_STATEMENT:
            self._close_statement(self.statements.pop())

    def _close_statement(self, statement: int) -> None:
        tokens = self.tokens
        start = tokens.starts[statement]
        if len(tokens.texts) > start and tokens.texts[-1] in self.trailing:
            self._drop_last()
        if self.rules.language.indented and len(tokens.texts) == start + 1 and tokens.roles[-1] == Role.STRING:
            self._drop_last()  # a docstring says nothing about shape
        tokens.ends[statement] = len(tokens.texts)

    def _spoil(self, reason: str) -> None:
        self.tokens.leave_out(reason)
        for statement in self.statements:
            self.tokens.whole[statement] = 0

    def _abandon(self) -> None:
        """Close what is open when the file has too many tokens; nothing half-read is whole."""
        self._spoil("too_many_tokens")
        here = len(self.tokens.texts)
        for statement in self.statements:
            self.tokens.ends[statement] = here
        for body in self.bodies[1:]:
            self.tokens.body_ends[body] = here
