"""A language's data compiled into tables indexed by the grammar's own node and field numbers."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from types import MappingProxyType

import tree_sitter

from instance.analysis.language import Language, Role
from instance.analysis.languages import LANGUAGES

_CLOSERS = frozenset(")]}")
SEPARATORS = frozenset(";,")  # between statements or members: formatters add and drop them
ERROR_KIND = 65535  # the number of errors in every grammar, which no table of a grammar has


class Step(IntEnum):
    """What the walk over the tree does at a node."""

    MARK = 0  # keywords, operators, brackets: leaves whose text is their kind
    CLOSER = 1  # a mark that a comma may stand before
    NAME = 2  # a leaf whose text may have to be hidden
    PLAIN = 3  # goes down, and there is nothing else to it
    ATOM = 4  # strings, numbers: one token, whatever is inside
    DESCEND = 5  # goes down; opens something, or hands a role down to names
    STATEMENT = 6  # goes down, and is a statement
    LONE = 7  # a leaf that is a statement
    SKIP = 8  # comments and whatever else never becomes a token
    DOUBTED = 9  # a mark in a file with errors: the parser may have made it up
    SPOIL = 10  # left out and counted, with every statement around it


Steps = Mapping[int, int]
"""The step at a node by its kind."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """Tables by node kind number, of plain integers because the walk reads them for every node.

    `below[kind]` are the steps at the children of a kind, `doubting[kind]` the same in a file with errors;
    `child_roles[kind]` maps a field number (0: any child) to the role of names there.
    """

    language: Language
    parser: tree_sitter.Parser
    marks: list[str]  # the text of anonymous nodes
    below: list[Steps]
    doubting: list[Steps]
    atom_roles: list[int]
    name_roles: list[int]
    child_roles: list[dict[int, int] | None]
    transparent: list[bool]
    tuples: list[bool]
    opens: list[int]  # masks of `OPENS_...`
    defines: dict[int, str]


OPENS_STATEMENT, OPENS_BODY, OPENS_SCOPE, OPENS_CLASS, OPENS_IMPORT, OPENS_DEFINITION = 1, 2, 4, 8, 16, 32


@cache
def grammar(language_name: str) -> Grammar:
    """Load the grammar of a known language once per process."""
    language = LANGUAGES[language_name]
    module = importlib.import_module(language.grammar)
    compiled = tree_sitter.Language(getattr(module, language.entry)())
    numbers = range(compiled.node_kind_count)
    kinds = [
        (compiled.node_kind_for_id(number) or "") if compiled.node_kind_is_named(number) else "" for number in numbers
    ]
    texts = [compiled.node_kind_for_id(number) or "" for number in numbers]
    steps = [_step(language, kind, text) for kind, text in zip(kinds, texts, strict=True)]
    members = [_member_step(language, *known) for known in zip(kinds, texts, steps, strict=True)]
    return Grammar(
        language=language,
        parser=tree_sitter.Parser(compiled),
        marks=texts,
        below=_below(language, kinds, steps, members),
        doubting=_below(language, kinds, _doubted(steps, steps), _doubted(steps, members)),
        atom_roles=[int(Role.STRING if kind in language.strings else Role.NUMBER) for kind in kinds],
        name_roles=[int(language.names.get(kind, Role.MARK)) for kind in kinds],
        child_roles=[_child_roles(language, compiled, kind) for kind in kinds],
        transparent=[kind in language.patterns for kind in kinds],
        tuples=["tuple" in kind for kind in kinds],
        opens=[_opens(language, kind) for kind in kinds],
        defines={number: what for number, kind in enumerate(kinds) if (what := language.definitions.get(kind))},
    )


def _step(language: Language, kind: str, text: str) -> Step:
    if not text or text in language.dropped or kind in language.comments:  # Go's end of file has no text
        return Step.SKIP
    if not kind:
        return Step.CLOSER if text in _CLOSERS else Step.MARK
    if kind in language.strings or kind in language.numbers:
        return Step.ATOM
    if kind in language.skipped:
        return Step.SPOIL
    if kind in language.names:
        return Step.NAME
    return Step.DESCEND if _opens(language, kind) or kind in language.patterns else Step.PLAIN


def _member_step(language: Language, kind: str, text: str, step: Step) -> Step:
    """Return the step where statements stand: what has a name of its own is one, and separators say nothing."""
    if not kind:
        return Step.SKIP if text in SEPARATORS else step
    if kind in language.containers or kind in language.not_statements:
        return step
    return _AS_STATEMENTS.get(step, step)


_MARKS = frozenset({Step.MARK, Step.CLOSER})
_AS_STATEMENTS = MappingProxyType(
    {Step.PLAIN: Step.STATEMENT, Step.DESCEND: Step.STATEMENT, Step.NAME: Step.LONE, Step.ATOM: Step.LONE}
)


def _doubted(steps: list[Step], among: list[Step]) -> list[Step]:
    """Return the steps in a file with errors, where a mark `among` all steps may have been made up."""
    return [Step.DOUBTED if step in _MARKS else of_kind for step, of_kind in zip(steps, among, strict=True)]


def _below(language: Language, kinds: list[str], elsewhere: list[Step], members: list[Step]) -> list[Steps]:
    inside, outside = _table(members), _table(elsewhere)
    return [inside if kind in language.containers else outside for kind in kinds]


def _table(steps: list[Step]) -> Steps:
    return {ERROR_KIND: int(Step.SPOIL), **{number: int(step) for number, step in enumerate(steps)}}


def _opens(language: Language, kind: str) -> int:
    return (
        (OPENS_BODY if kind in language.containers or kind in language.blocks else 0)
        | (OPENS_SCOPE if kind in language.scopes else 0)
        | (OPENS_CLASS if kind in language.classes else 0)
        | (OPENS_IMPORT if kind in language.imports else 0)
        | (OPENS_DEFINITION if kind in language.definitions else 0)
    )


def _child_roles(language: Language, compiled: tree_sitter.Language, kind: str) -> dict[int, int] | None:
    roles: dict[int, int] = {}
    for place, role in language.roles.items():
        parent, _, field = place.partition(".")
        if kind and parent == kind:
            number = 0 if field == "*" else compiled.field_id_for_name(field)
            if number is not None:
                roles[number] = int(role)
    return roles or None
