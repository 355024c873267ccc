"""From source text to flat arrays of tokens and statements, in one pass over the syntax tree.

Hostile input costs bounded time and memory: the parser gets a budget of steps (not of seconds, so that every machine
leaves out the same files), the walk a maximal depth and number of tokens. What was left out is counted.
"""

from __future__ import annotations

import tree_sitter

from instance.analysis.grammar import (
    CLOSERS,
    FORMATTED,
    OPENS_BODY,
    OPENS_CLASS,
    OPENS_IMPORT,
    OPENS_SCOPE,
    OPENS_STATEMENT,
    SEPARATORS,
    Grammar,
    Step,
    grammar,
)
from instance.analysis.language import KEYWORDS, Language, Role
from instance.analysis.tokens import NOWHERE, Tokens

MAX_SOURCE_BYTES = 1 << 20
MAX_TOKENS = 300_000
MAX_DEPTH = 250
MAX_PARSE_STEPS = 100_000
_CHUNK_BYTES = 1 << 16
_ERROR_KIND = 65535
_DOTS = frozenset({".", "?.", "::"})
# Enum members cost a look-up and a slow comparison each; this module compares one per node.
_MARK, _DESCEND, _ATOM, _SKIP, _SPOIL = (int(step) for step in Step)
_TEXT, _NAME, _FIELD, _DEFINITION, _BINDING = (
    int(role) for role in (Role.MARK, Role.NAME, Role.FIELD, Role.DEFINITION, Role.BINDING)
)
_STRING = int(Role.STRING)
_DOTTABLE = frozenset({_NAME, int(Role.LABEL), _BINDING})


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
    _Walk(source, rules, tokens, has_errors=tree.root_node.has_error).run(tree.walk())
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

    def __init__(self, source: bytes, rules: Grammar, tokens: Tokens, *, has_errors: bool) -> None:
        self.source = source
        self.rules = rules
        self.tokens = tokens
        self.has_errors = has_errors
        self.in_container = False
        # From the root to the cursor's parent: node kind, the role it hands down to names (0: none), what it opened.
        self.path: list[tuple[int, int, int]] = []
        self.statements: list[int] = []
        self.bodies: list[int] = [NOWHERE]
        self.scopes: list[int] = [0]
        self.in_class: list[bool] = [False]
        self.import_start = 0
        self.decoded: dict[bytes, str] = {}
        self.trailing = SEPARATORS if rules.language.optional_semicolons else frozenset(",")

    def run(self, cursor: tree_sitter.TreeCursor) -> None:
        """Visit every node once, depth first, without recursion."""
        steps, texts, path = self.rules.steps, self.tokens.texts, self.path
        plain_marks, roles = {} if self.has_errors else self.rules.plain_marks, self.tokens.roles
        while len(texts) < MAX_TOKENS:
            node: tree_sitter.Node = cursor.node  # type: ignore[assignment]  # a cursor always stands on a node
            kind = node.kind_id
            step = steps[kind] if kind != _ERROR_KIND and len(path) < MAX_DEPTH else _SPOIL
            if kind in plain_marks:  # every third node: worth a line instead of a call
                texts.append(plain_marks[kind])
                roles.append(_TEXT)
            elif step == _MARK:
                self._mark(node, kind)
            elif step < _SKIP:
                if self._enter(cursor, node, kind, step):
                    continue
            elif step == _SPOIL:
                self._spoil(self._reason(kind))
            if not cursor.goto_next_sibling() and not self._ascend(cursor):
                break
        else:
            self._abandon()
        self._settle_scopes()

    def _enter(self, cursor: tree_sitter.TreeCursor, node: tree_sitter.Node, kind: int, step: int) -> bool:
        """Open what begins at a named node and go down; a leaf becomes a token and False is returned."""
        rules = self.rules
        mask = rules.opens[kind]
        if self.in_container and not rules.plain[kind]:
            mask |= self._statement()
        if mask:
            self._open(mask)
        role = self._role(cursor) if rules.takes_role[kind] else 0
        if step == _DESCEND and cursor.goto_first_child():
            self.path.append((kind, role if rules.transparent[kind] else 0, mask))
            self.in_container = rules.containers[kind]
            return True
        self._leaf(node, kind, step, role)
        if mask:
            self._close(mask)
        return False

    def _ascend(self, cursor: tree_sitter.TreeCursor) -> bool:
        """Leave finished nodes until one has a sibling; False at the end of the tree."""
        while cursor.goto_parent():
            mask = self.path.pop()[2]
            if mask:
                self._close(mask)
            if cursor.goto_next_sibling():
                self.in_container = self.rules.containers[self.path[-1][0]]
                return True
        return False

    def _statement(self) -> int:
        """Return the mask of a statement, unless the node is the value that follows `case`."""
        texts = self.tokens.texts
        return 0 if texts and texts[-1] == "case" else OPENS_STATEMENT

    def _role(self, cursor: tree_sitter.TreeCursor) -> int:
        """Return the role names have here according to the parent; 0 when it has nothing to say."""
        if not self.path:
            return 0
        parent, passed, _ = self.path[-1]
        table = self.rules.child_roles[parent]
        if table is None:
            return passed
        return table.get(cursor.field_id or 0) or table.get(0) or passed

    def _mark(self, node: tree_sitter.Node, kind: int) -> None:
        text = self.rules.marks[kind]
        if self.has_errors and node.is_missing:
            self._spoil("syntax_errors")
            return
        if text in FORMATTED:
            if text in SEPARATORS and self.in_container:
                return
            if text in CLOSERS:
                self._drop_comma(node)
        self.tokens.texts.append(text)
        self.tokens.roles.append(_TEXT)

    def _leaf(self, node: tree_sitter.Node, kind: int, step: int, role: int) -> None:
        start, end = node.start_byte, node.end_byte
        if start == end:
            if node.is_missing:
                self._spoil("syntax_errors")
            return
        raw = self.source[start:end]
        text = self.decoded.get(raw)
        if text is None:
            text = self.decoded[raw] = raw.decode("utf-8", "replace")
        if step == _ATOM:
            self._add(text, self.rules.atom_roles[kind])
        elif not role and not self.rules.name_roles[kind] and _is_word_of_grammar(text):
            self._add(text, _TEXT)
        else:
            self._name(text, role or self.rules.name_roles[kind] or _NAME)

    def _name(self, text: str, role: int) -> None:
        texts = self.tokens.texts
        if role == _BINDING and self.rules.language.capitals_are_constants and text[0].isupper():
            role = _NAME
        if role in _DOTTABLE and texts and texts[-1] in _DOTS:
            role = _FIELD
        elif role in (_DEFINITION, _BINDING):
            outside = role == _DEFINITION and self.path[-1][2] & (OPENS_SCOPE | OPENS_CLASS)
            level = -2 if outside else -1
            if not self.in_class[level]:
                self.tokens.bound.setdefault(text, set()).add(self.scopes[level])
        self._add(text, role)

    def _add(self, text: str, role: int) -> None:
        self.tokens.texts.append(text)
        self.tokens.roles.append(role)

    def _settle_scopes(self) -> None:
        """Give every token since the last change of scope the scope it stands in."""
        tokens = self.tokens
        tokens.scopes.extend([self.scopes[-1]] * (len(tokens.texts) - len(tokens.scopes)))

    def _drop_comma(self, closer: tree_sitter.Node) -> None:
        """Drop a comma that only formatters care about; the one that makes `(x,)` a tuple stays."""
        tokens = self.tokens
        if not tokens.texts or tokens.texts[-1] != ",":
            return
        if self.rules.tuples[self.path[-1][0]]:
            around = closer.parent
            if around is not None and around.named_child_count == 1:
                return
        self._drop_last()

    def _drop_last(self) -> None:
        tokens = self.tokens
        tokens.texts.pop()
        tokens.roles.pop()
        del tokens.scopes[len(tokens.texts) :]

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
            self._settle_scopes()
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
            self._settle_scopes()
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
        if self.rules.language.indented and len(tokens.texts) == start + 1 and tokens.roles[-1] == _STRING:
            self._drop_last()  # a docstring says nothing about shape
        tokens.ends[statement] = len(tokens.texts)

    def _reason(self, kind: int) -> str:
        if kind == _ERROR_KIND:
            return "syntax_errors"
        return "too_deep" if len(self.path) >= MAX_DEPTH else "macros"

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


def _is_word_of_grammar(text: str) -> bool:
    """Tell whether a leaf the language's data says nothing about may be shown: a known keyword, or no word at all."""
    return text in KEYWORDS or not any(letter.isalnum() for letter in text)
