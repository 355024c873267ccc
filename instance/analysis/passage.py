"""One pass over a syntax tree: what is open at the cursor, and the lists of tokens being filled."""

from __future__ import annotations

from itertools import repeat

import tree_sitter

from instance.analysis.definitions import Definitions
from instance.analysis.grammar import (
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
_ERROR_KIND = 65535
_DOTS = frozenset({".", "?.", "::"})
# Enum members cost a look-up and a slow comparison each; this module compares some for every node.
_MARK, _NAME_LEAF, _PLAIN, _DESCEND, _CLOSER, _SEPARATOR, _ATOM, _SKIP, _DOUBTED, _SPOIL = (int(step) for step in Step)
_TEXT, _NAME, _FIELD, _DEFINITION, _BINDING, _LABEL, _STRING = (
    int(role) for role in (Role.MARK, Role.NAME, Role.FIELD, Role.DEFINITION, Role.BINDING, Role.LABEL, Role.STRING)
)
_INTERIOR = frozenset({_PLAIN, _DESCEND})
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
        self.steps = rules.doubting_steps if has_errors else rules.steps
        self.path: list[int] = [_ABOVE_ROOT]
        self.statements: list[int] = []
        self.bodies: list[int] = [NOWHERE]
        self.scopes: list[int] = [0]
        self.in_class: list[bool] = [False]
        self.import_start = 0
        self.definitions = Definitions(source, rules, tokens)
        self.child_roles, self.name_roles = rules.child_roles, rules.name_roles
        self.trailing = SEPARATORS if rules.language.optional_semicolons else frozenset(",")

    def run(self, cursor: tree_sitter.TreeCursor) -> None:  # noqa: C901, PLR0912, PLR0915 - a call a node is slow
        """Visit every node once, depth first, without recursion."""
        steps, marks, containers, alone, opens, texts, roles, path = (
            self.steps, self.rules.marks, self.rules.containers, self.rules.stands_alone, self.rules.opens,
            self.tokens.texts, self.tokens.roles, self.path,
        )  # fmt: skip
        in_container = False
        for _ in repeat(None, MAX_NODES):
            node: tree_sitter.Node = cursor.node  # type: ignore[assignment]  # a cursor always stands on a node
            kind = node.kind_id
            step = steps[kind]
            if step == _MARK:
                texts.append(marks[kind])
                roles.append(_TEXT)
            elif in_container and step < _SKIP and alone[kind] and not (texts and texts[-1] == "case"):
                if self._statement(cursor, node, kind, step):
                    in_container = containers[kind]
                    continue
            elif step == _NAME_LEAF:
                self._name(node, kind, cursor)
            elif step == _PLAIN and len(path) < MAX_DEPTH:
                if cursor.goto_first_child():
                    path.append(kind)
                    in_container = False
                    continue
                self._leaf(node, 0)
            elif step <= _DESCEND:
                if self._enter(cursor, node, kind, opens[kind]):
                    in_container = containers[kind]
                    continue
            elif step <= _SEPARATOR:
                if step == _CLOSER or not in_container:
                    self._formatted(node, kind, step)
            elif step == _ATOM:
                self._leaf(node, self.rules.atom_roles[kind])
            elif step != _SKIP:
                self._doubt(node, kind, step)
            if not cursor.goto_next_sibling():
                if not self._ascend(cursor):
                    break
                in_container = containers[path[-1] & _KIND_MASK]
        else:
            self._abandon()
        self._settle_scopes()
        self.definitions.drop_nameless()

    def _statement(self, cursor: tree_sitter.TreeCursor, node: tree_sitter.Node, kind: int, step: int) -> bool:
        """Open a statement; one that is a single leaf is closed again and False is returned."""
        if step in _INTERIOR:
            return self._enter(cursor, node, kind, self.rules.opens[kind] | OPENS_STATEMENT)
        self._open_statement()
        if step == _NAME_LEAF:
            self._name(node, kind, cursor)
        else:
            self._leaf(node, self.rules.atom_roles[kind])
        self._close_statement()
        return False

    def _enter(self, cursor: tree_sitter.TreeCursor, node: tree_sitter.Node, kind: int, mask: int) -> bool:
        """Open what begins at a named node and go down; a leaf becomes a token and False is returned."""
        if len(self.path) >= MAX_DEPTH:
            self._spoil("too_deep")
            return False
        if mask & OPENS_STATEMENT:
            self._open_statement()
            if self.definitions.begin_at(node):
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

    def _ascend(self, cursor: tree_sitter.TreeCursor) -> bool:
        """Leave finished nodes until one has a sibling; False at the end of the tree."""
        while cursor.goto_parent():
            left = self.path.pop()
            if left >= _OPENED:
                self._close(left >> _OPENS_SHIFT)
            if cursor.goto_next_sibling():
                return True
        return False

    def _role(self, cursor: tree_sitter.TreeCursor) -> int:
        """Return the role names have here according to the parent; 0 when it has nothing to say."""
        parent = self.path[-1]
        table = self.child_roles[parent & _KIND_MASK]
        role = 0 if table is None else table.get(cursor.field_id or 0) or table.get(0)
        return role or parent >> _ROLE_SHIFT & _ROLE_MASK

    def _formatted(self, node: tree_sitter.Node, kind: int, step: int) -> None:
        """Add a bracket or a separator, and drop the comma that a formatter put before the bracket."""
        texts = self.tokens.texts
        if step == _CLOSER and texts and texts[-1] == ",":
            self._drop_comma(node)
        texts.append(self.rules.marks[kind])
        self.tokens.roles.append(_TEXT)

    def _doubt(self, node: tree_sitter.Node, kind: int, step: int) -> None:
        """Deal with what is not read, and with what may not be what it seems."""
        if step == _SPOIL:
            self._spoil("syntax_errors" if kind == _ERROR_KIND else "macros")
        elif node.is_missing:
            self._spoil("syntax_errors")
        elif self.rules.steps[kind] != _SEPARATOR or not self.rules.containers[self.path[-1] & _KIND_MASK]:
            self._formatted(node, kind, self.rules.steps[kind])

    def _name(self, node: tree_sitter.Node, kind: int, cursor: tree_sitter.TreeCursor) -> None:
        texts = self.tokens.texts
        text = self.text[node.start_byte : node.end_byte]
        if not text or not text.isascii():
            text = self._unusual(text, node)
        if not text:
            return
        parent, role = self.path[-1], self.name_roles[kind]
        if parent >= _HANDS_DOWN or self.child_roles[parent] is not None:
            role = self._role(cursor) or role
        if role == _BINDING and self.rules.language.capitals_are_constants and text[0].isupper():
            role = _NAME
        if role in _DOTTABLE and texts and texts[-1] in _DOTS:
            role = _FIELD
        elif role in _NAMED:
            self._bind(text, role)
        texts.append(text)
        self.tokens.roles.append(role)

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
        if not text or not text.isascii():
            text = self._unusual(text, node)
        if text:
            self.tokens.texts.append(text)
            self.tokens.roles.append(role or (_TEXT if is_word_of_grammar(text) else _NAME))

    def _settle_scopes(self) -> None:
        """Give every token since the last change of scope the scope it stands in."""
        self.tokens.scopes.extend([self.scopes[-1]] * (len(self.tokens.texts) - len(self.tokens.scopes)))

    def _drop_comma(self, closer: tree_sitter.Node) -> None:
        """Drop a comma that only formatters care about; the one that makes `(x,)` a tuple stays."""
        if self.rules.tuples[self.path[-1] & _KIND_MASK]:
            around = closer.parent
            if around is not None and around.named_child_count == 1:
                return
        self._drop_last()

    def _drop_last(self) -> None:
        tokens = self.tokens
        tokens.texts.pop()
        tokens.roles.pop()
        del tokens.scopes[len(tokens.texts) :]

    def _open_statement(self) -> None:
        tokens, here = self.tokens, len(self.tokens.texts)
        self.statements.append(len(tokens.starts))
        tokens.starts.append(here)
        tokens.ends.append(here)
        tokens.homes.append(self.bodies[-1])
        tokens.whole.append(1)

    def _open(self, mask: int, node: tree_sitter.Node, kind: int) -> None:
        """Open what begins at a node besides a statement."""
        tokens, here = self.tokens, len(self.tokens.texts)
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
                tokens.imports.append((self.import_start, len(tokens.texts)))
            if mask & OPENS_DEFINITION:
                self.definitions.close()
            if mask & (OPENS_SCOPE | OPENS_CLASS):
                self._settle_scopes()
                self.scopes.pop()
                self.in_class.pop()
            if mask & OPENS_BODY:
                tokens.body_ends[self.bodies.pop()] = len(tokens.texts)
        if mask & OPENS_STATEMENT:
            self._close_statement()

    def _close_statement(self) -> None:
        tokens, texts = self.tokens, self.tokens.texts
        statement = self.statements.pop()
        start = tokens.starts[statement]
        if len(texts) > start and texts[-1] in self.trailing:
            self._drop_last()
        if self.rules.language.indented and len(texts) == start + 1 and tokens.roles[-1] == _STRING:
            self._drop_last()  # a docstring says nothing about shape
        tokens.ends[statement] = len(texts)

    def _spoil(self, reason: str) -> None:
        self.tokens.leave_out(reason)
        for statement in self.statements:
            self.tokens.whole[statement] = 0

    def _abandon(self) -> None:
        """Close what is open when the file has too many nodes; nothing half-read is whole."""
        self._spoil("too_many_tokens")
        here = len(self.tokens.texts)
        for statement in self.statements:
            self.tokens.ends[statement] = here
        for body in self.bodies[1:]:
            self.tokens.body_ends[body] = here
