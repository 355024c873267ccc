"""One pass over a syntax tree: what is open at the cursor, and the lists of tokens being filled."""

from __future__ import annotations

from itertools import repeat

import tree_sitter

from instance.analysis.definitions import Definitions
from instance.analysis.grammar import (
    ERROR_KIND,
    OPENS_BODY,
    OPENS_CLASS,
    OPENS_DEFINITION,
    OPENS_IMPORT,
    OPENS_SCOPE,
    OPENS_STATEMENT,
    SEPARATORS,
    Grammar,
    Step,
)
from instance.analysis.language import Role, is_word_of_grammar
from instance.analysis.tokens import NOWHERE, Tokens

MAX_NODES = 600_000
MAX_DEPTH = 250
_DOTS = frozenset({".", "?.", "::"})
# Enum members cost a look-up and a slow comparison each; this module compares some for every node.
_MARK, _CLOSER, _NAME_LEAF, _PLAIN, _ATOM, _DESCEND, _STATEMENT, _LONE, _SKIP, _DOUBTED, _SPOIL = map(int, Step)
_TEXT, _NAME, _FIELD, _DEFINITION, _BINDING, _LABEL, _STRING = (
    int(role) for role in (Role.MARK, Role.NAME, Role.FIELD, Role.DEFINITION, Role.BINDING, Role.LABEL, Role.STRING)
)
_DOTTABLE = frozenset({_NAME, _LABEL, _BINDING})
_NAMED = frozenset({_DEFINITION, _BINDING})
# An open node is one number: its kind, above it the role it hands down to names, above that the mask of what it opened.
_KIND_MASK, _ROLE_SHIFT, _ROLE_MASK, _OPENS_SHIFT = 0xFFFF, 16, 0xF, 20
_OPENED = 1 << _OPENS_SHIFT
_HANDS_DOWN = 1 << _ROLE_SHIFT
_ABOVE_ROOT = 1 << 62  # of kind 0, which has no role and opens nothing


class Passage:
    """The state of one pass; `path` leads from the root to the cursor's parent."""

    def __init__(self, source: bytes, rules: Grammar, tokens: Tokens, *, has_errors: bool) -> None:
        self.text = source.decode("latin-1")  # one character a byte, so that positions are the same
        self.rules = rules
        self.tokens = tokens
        self.below = rules.doubting if has_errors else rules.below
        self.texts, self.is_ascii = tokens.texts, source.isascii()
        self.roles: list[int] = []  # quicker to fill than bytes
        self.path: list[int] = [_ABOVE_ROOT]
        self.statements: list[int] = []
        self.bodies: list[int] = [NOWHERE]
        self.scopes: list[int] = [0]
        self.in_class: list[bool] = [False]
        self.import_start = 0
        self.definitions = Definitions(source, rules, tokens, self.roles)
        self.child_roles, self.name_roles = rules.child_roles, rules.name_roles
        self.trailing = SEPARATORS if rules.language.optional_semicolons else frozenset(",")
        self.is_indented, self.words_define = rules.language.indented, bool(rules.language.definition_words)
        self.capitals_are_constants = rules.language.capitals_are_constants

    def run(self, cursor: tree_sitter.TreeCursor) -> None:
        """Visit every node once, depth first, without recursion."""
        if not self._visit(cursor):
            self._abandon()
        self._settle_scopes()
        self.tokens.roles.extend(self.roles)
        self.definitions.drop_nameless()

    def _visit(self, cursor: tree_sitter.TreeCursor) -> bool:  # noqa: C901, PLR0912, PLR0915 - a call a node is slow
        """Read node after node up to the end of the tree; False when there are too many."""
        marks, below, texts, roles, path = self.rules.marks, self.below, self.texts, self.roles, self.path
        steps = outside = below[0]
        for _ in repeat(None, MAX_NODES):
            node: tree_sitter.Node = cursor.node  # type: ignore[assignment]  # a cursor always stands on a node
            kind = node.kind_id
            step = steps[kind]
            if step <= _CLOSER:
                if step == _CLOSER and texts and texts[-1] == ",":
                    self._drop_comma(node)
                texts.append(marks[kind])
                roles.append(_TEXT)
            elif step == _PLAIN and len(path) < MAX_DEPTH:
                if cursor.goto_first_child():
                    path.append(kind)
                    steps = outside
                    continue
                self._leaf(node, 0)
            elif step == _NAME_LEAF:
                self._name(node, kind, cursor)
            elif step == _ATOM:
                self._leaf(node, self.rules.atom_roles[kind])
            elif step <= _STATEMENT:
                if self._enter(cursor, node, kind, step):
                    steps = below[kind]
                    continue
            elif step != _SKIP:
                self._peculiar(cursor, node, kind, step)
            if cursor.goto_next_sibling():
                continue
            while cursor.goto_parent():
                left = path.pop()
                if left >= _OPENED:
                    self._close(left >> _OPENS_SHIFT)
                if cursor.goto_next_sibling():
                    steps = below[path[-1] & _KIND_MASK]
                    break
            else:
                return True
        return False

    def _enter(self, cursor: tree_sitter.TreeCursor, node: tree_sitter.Node, kind: int, step: int) -> bool:
        """Open what begins at a named node and go down; a leaf becomes a token and False is returned."""
        if len(self.path) >= MAX_DEPTH:
            self._spoil("too_deep")
            return False
        texts, mask = self.texts, self.rules.opens[kind]
        if step == _STATEMENT and not (texts and texts[-1] == "case"):  # what a case is about is no statement
            self._open_statement()
            mask |= OPENS_STATEMENT
            if self.words_define and self.definitions.begin_at(node):
                mask |= OPENS_DEFINITION
        if mask & ~OPENS_STATEMENT:
            self._open(mask, node, kind)
        role = self._role(cursor) if self.rules.transparent[kind] else 0
        if cursor.goto_first_child():
            self.path.append(kind | role << _ROLE_SHIFT | mask << _OPENS_SHIFT)
            return True
        self._leaf(node, 0)
        self._close(mask)
        return False

    def _peculiar(self, cursor: tree_sitter.TreeCursor, node: tree_sitter.Node, kind: int, step: int) -> None:
        """Deal with a leaf that is a statement, with what is not read, and with what may not be what it seems."""
        if step == _LONE:
            self._lone(cursor, node, kind)
        elif step == _SPOIL:
            self._spoil("syntax_errors" if kind == ERROR_KIND else "macros")
        elif node.is_missing:
            self._spoil("syntax_errors")
        else:
            self._doubted(node, kind)

    def _lone(self, cursor: tree_sitter.TreeCursor, node: tree_sitter.Node, kind: int) -> None:
        is_statement = self.texts[-1:] != ["case"]
        if is_statement:
            self._open_statement()
        if self.name_roles[kind]:
            self._name(node, kind, cursor)
        else:
            self._leaf(node, self.rules.atom_roles[kind])
        if is_statement:
            self._close(OPENS_STATEMENT)

    def _doubted(self, node: tree_sitter.Node, kind: int) -> None:
        """Read a mark after all."""
        step = self.rules.below[self.path[-1] & _KIND_MASK][kind]
        if step == _CLOSER and self.texts and self.texts[-1] == ",":
            self._drop_comma(node)
        if step != _SKIP:
            self.texts.append(self.rules.marks[kind])
            self.roles.append(_TEXT)

    def _role(self, cursor: tree_sitter.TreeCursor) -> int:
        """Return the role names have here according to the parent; 0 when it has nothing to say."""
        parent = self.path[-1]
        table = self.child_roles[parent & _KIND_MASK]
        role = 0 if table is None else table.get(cursor.field_id or 0) or table.get(0)
        return role or parent >> _ROLE_SHIFT & _ROLE_MASK

    def _name(self, node: tree_sitter.Node, kind: int, cursor: tree_sitter.TreeCursor) -> None:
        text = self.text[node.start_byte : node.end_byte]
        if not text or not (self.is_ascii or text.isascii()):
            text = self._unusual(text, node)
        if not text:
            return
        texts, parent, role = self.texts, self.path[-1], self.name_roles[kind]
        if parent >= _HANDS_DOWN or self.child_roles[parent] is not None:
            role = self._role(cursor) or role
        if role == _BINDING and self.capitals_are_constants and text[0].isupper():
            role = _NAME
        if role in _DOTTABLE and texts and texts[-1] in _DOTS:
            role = _FIELD
        elif role in _NAMED:
            self._bind(text, role)
        texts.append(text)
        self.roles.append(role)

    def _unusual(self, text: str, node: tree_sitter.Node) -> str:
        """Return the text of a leaf that is not plain ASCII; "" for one the parser made up."""
        if not text and node.is_missing:
            self._spoil("syntax_errors")
        return text.encode("latin-1").decode("utf-8", "replace")

    def _bind(self, text: str, role: int) -> None:
        """Note in which scope a name is bound, and what it defines."""
        level = -1
        if role == _DEFINITION:
            if self.path[-1] >> _OPENS_SHIFT & (OPENS_SCOPE | OPENS_CLASS):
                level = -2
            self.definitions.call(text)
        if not self.in_class[level]:
            self.tokens.bound[self.scopes[level]].add(text)

    def _leaf(self, node: tree_sitter.Node, role: int) -> None:
        """Add a literal in its role, or (0) a leaf of a kind that usually is none."""
        text = self.text[node.start_byte : node.end_byte]
        if not text or not (self.is_ascii or text.isascii()):
            text = self._unusual(text, node)
        if text:
            self.texts.append(text)
            self.roles.append(role or (_TEXT if is_word_of_grammar(text) else _NAME))

    def _settle_scopes(self) -> None:
        """Give every token since the last change of scope the scope it stands in."""
        self.tokens.scopes.extend([self.scopes[-1]] * (len(self.texts) - len(self.tokens.scopes)))

    def _drop_comma(self, closer: tree_sitter.Node) -> None:
        """Drop a comma that only formatters care about; the one that makes `(x,)` a tuple stays."""
        if self.rules.tuples[self.path[-1] & _KIND_MASK]:
            around = closer.parent
            if around is not None and around.named_child_count == 1:
                return
        self._drop_last()

    def _drop_last(self) -> None:
        self.texts.pop()
        self.roles.pop()
        del self.tokens.scopes[len(self.texts) :]

    def _open_statement(self) -> None:
        tokens, here = self.tokens, len(self.texts)
        self.statements.append(len(tokens.starts))
        tokens.starts.append(here)
        tokens.ends.append(here)
        tokens.homes.append(self.bodies[-1])
        tokens.whole.append(1)

    def _open(self, mask: int, node: tree_sitter.Node, kind: int) -> None:
        """Open what begins at a node besides a statement."""
        tokens, here = self.tokens, len(self.texts)
        if mask & OPENS_BODY:
            self.bodies.append(len(tokens.owners))
            tokens.owners.append(self.statements[-1] if self.statements else NOWHERE)
            tokens.body_starts.append(here)
            tokens.body_ends.append(here)
        if mask & (OPENS_SCOPE | OPENS_CLASS):
            self._settle_scopes()
            tokens.scope_parents.append(self.scopes[-1])
            tokens.bound.append(set())
            self.scopes.append(len(tokens.scope_parents) - 1)
            self.in_class.append(bool(mask & OPENS_CLASS))
        if mask & OPENS_DEFINITION:
            self.definitions.open(kind, node)
        if mask & OPENS_IMPORT:
            self.import_start = here

    def _close(self, mask: int) -> None:
        """Close what was opened at a node, the statement last."""
        tokens = self.tokens
        if mask & ~OPENS_STATEMENT:
            if mask & OPENS_IMPORT:
                tokens.imports.append((self.import_start, len(self.texts)))
            if mask & OPENS_DEFINITION:
                self.definitions.close()
            if mask & (OPENS_SCOPE | OPENS_CLASS):
                self._settle_scopes()
                self.scopes.pop()
                self.in_class.pop()
            if mask & OPENS_BODY:
                tokens.body_ends[self.bodies.pop()] = len(self.texts)
        if mask & OPENS_STATEMENT:
            self._close_statement()

    def _close_statement(self) -> None:
        texts, statement = self.texts, self.statements.pop()
        start, end = self.tokens.starts[statement], len(texts)
        if end > start and texts[-1] in self.trailing:
            self._drop_last()
            end -= 1
        if self.is_indented and end == start + 1 and self.roles[-1] == _STRING:
            self._drop_last()  # a docstring says nothing about shape
            end -= 1
        self.tokens.ends[statement] = end

    def _spoil(self, reason: str) -> None:
        self.tokens.leave_out(reason)
        for statement in self.statements:
            self.tokens.whole[statement] = 0

    def _abandon(self) -> None:
        """Close what is open when the file has too many nodes; nothing half-read is whole."""
        self._spoil("too_many_tokens")
        here = len(self.texts)
        for statement in self.statements:
            self.tokens.ends[statement] = here
        for body in self.bodies[1:]:
            self.tokens.body_ends[body] = here
