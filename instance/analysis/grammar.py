"""A language's data compiled into tables indexed by the grammar's own node and field numbers."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import tree_sitter

from instance.analysis.language import Language, Role
from instance.analysis.languages import LANGUAGES

CLOSERS = frozenset(")]}")
SEPARATORS = frozenset(";,")  # between statements or members: formatters add and drop them
FORMATTED = CLOSERS | SEPARATORS


class Step(IntEnum):
    """What the walk over the tree does at a node."""

    MARK = 0  # keywords, operators, brackets: leaves whose text is their kind
    DESCEND = 1
    ATOM = 2  # strings, numbers: one token, whatever is inside
    SKIP = 3  # comments and whatever else never becomes a token
    SPOIL = 4  # left out and counted, with every statement around it


@dataclass(frozen=True, slots=True)
class Grammar:
    """Tables by node kind number, of plain integers because the walk reads them for every node.

    `child_roles[kind]` maps a field number (0: any child) to the role of names there.
    """

    language: Language
    parser: tree_sitter.Parser
    marks: list[str]  # the text of anonymous nodes
    plain_marks: dict[int, str]  # those among them that are tokens wherever they stand
    steps: list[int]
    atom_roles: list[int]
    name_roles: list[int]
    child_roles: list[dict[int, int] | None]
    takes_role: list[bool]
    transparent: list[bool]
    containers: list[bool]
    plain: list[bool]  # kinds that are no statements of their own
    tuples: list[bool]
    opens: list[int]  # masks of `OPENS_...`


OPENS_STATEMENT, OPENS_BODY, OPENS_SCOPE, OPENS_CLASS, OPENS_IMPORT = 1, 2, 4, 8, 16


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
    name_roles = [int(language.names.get(kind, Role.MARK)) for kind in kinds]
    return Grammar(
        language=language,
        parser=tree_sitter.Parser(compiled),
        marks=[compiled.node_kind_for_id(number) or "" for number in numbers],
        plain_marks={
            number: text
            for number, kind in enumerate(kinds)
            if (text := compiled.node_kind_for_id(number))
            and text not in FORMATTED
            and _step(language, kind, text) is Step.MARK
        },
        steps=[int(_step(language, kind, compiled.node_kind_for_id(number))) for number, kind in enumerate(kinds)],
        atom_roles=[int(Role.STRING if kind in language.strings else Role.NUMBER) for kind in kinds],
        name_roles=name_roles,
        child_roles=[_child_roles(language, compiled, kind) for kind in kinds],
        takes_role=[
            kind in language.patterns or role != Role.MARK for kind, role in zip(kinds, name_roles, strict=True)
        ],
        transparent=[kind in language.patterns for kind in kinds],
        containers=[kind in language.containers for kind in kinds],
        plain=[not kind or kind in _not_statements(language) for kind in kinds],
        tuples=["tuple" in kind for kind in kinds],
        opens=[_opens(language, kind) for kind in kinds],
    )


def _step(language: Language, kind: str, text: str | None) -> Step:
    if text in language.dropped or kind in language.comments:
        return Step.SKIP
    if kind in language.strings or kind in language.numbers:
        return Step.ATOM
    if kind in language.skipped:
        return Step.SPOIL
    return Step.DESCEND if kind else Step.MARK


def _not_statements(language: Language) -> frozenset[str]:
    return language.comments | language.containers | language.not_statements


def _opens(language: Language, kind: str) -> int:
    return (
        (OPENS_BODY if kind in language.containers or kind in language.blocks else 0)
        | (OPENS_SCOPE if kind in language.scopes else 0)
        | (OPENS_CLASS if kind in language.classes else 0)
        | (OPENS_IMPORT if kind in language.imports else 0)
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
