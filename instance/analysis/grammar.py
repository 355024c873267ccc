"""A language's data compiled into tables indexed by the grammar's own node and field numbers."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import tree_sitter

from instance.analysis.language import Language, Role
from instance.analysis.languages import LANGUAGES

_CLOSERS = frozenset(")]}")
SEPARATORS = frozenset(";,")  # between statements or members: formatters add and drop them
_KINDS = 1 << 16  # what a node kind's number may be; the last one is that of errors, which no table of a grammar has


class Step(IntEnum):
    """What the walk over the tree does at a node."""

    MARK = 0  # keywords, operators, brackets: leaves whose text is their kind
    NAME = 1  # a leaf whose text may have to be hidden
    PLAIN = 2  # goes down, and there is nothing else to it
    DESCEND = 3  # goes down; opens something, or hands a role down to names
    CLOSER = 4  # a mark that a comma may stand before
    SEPARATOR = 5  # a mark that is a token only inside an expression
    ATOM = 6  # strings, numbers: one token, whatever is inside
    SKIP = 7  # comments and whatever else never becomes a token
    DOUBTED = 8  # a mark in a file with errors: the parser may have made it up
    SPOIL = 9  # left out and counted, with every statement around it


@dataclass(frozen=True, slots=True)
class Grammar:
    """Tables by node kind number, of plain integers because the walk reads them for every node.

    `child_roles[kind]` maps a field number (0: any child) to the role of names there.
    """

    language: Language
    parser: tree_sitter.Parser
    marks: list[str]  # the text of anonymous nodes
    steps: bytes
    doubting_steps: bytes  # the same for a file with errors
    atom_roles: list[int]
    name_roles: list[int]
    child_roles: list[dict[int, int] | None]
    transparent: list[bool]
    containers: list[bool]
    stands_alone: list[bool]  # kinds that are statements where they stand in a container
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
    steps = bytes(_step(language, kind, text) for kind, text in zip(kinds, texts, strict=True))
    steps += bytes([Step.SPOIL]) * (_KINDS - len(steps))
    return Grammar(
        language=language,
        parser=tree_sitter.Parser(compiled),
        marks=texts,
        steps=steps,
        doubting_steps=steps.translate(bytes.maketrans(_MARKS, bytes([Step.DOUBTED]) * len(_MARKS))),
        atom_roles=[int(Role.STRING if kind in language.strings else Role.NUMBER) for kind in kinds],
        name_roles=[int(language.names.get(kind, Role.MARK)) for kind in kinds],
        child_roles=[_child_roles(language, compiled, kind) for kind in kinds],
        transparent=[kind in language.patterns for kind in kinds],
        containers=[kind in language.containers for kind in kinds],
        stands_alone=[bool(kind) and kind not in _not_statements(language) for kind in kinds],
        tuples=["tuple" in kind for kind in kinds],
        opens=[_opens(language, kind) for kind in kinds],
        defines={number: what for number, kind in enumerate(kinds) if (what := language.definitions.get(kind))},
    )


_MARKS = bytes([Step.MARK, Step.CLOSER, Step.SEPARATOR])


def _step(language: Language, kind: str, text: str) -> Step:
    if not text or text in language.dropped or kind in language.comments:  # Go's end of file has no text
        return Step.SKIP
    if not kind:
        return Step.CLOSER if text in _CLOSERS else Step.SEPARATOR if text in SEPARATORS else Step.MARK
    if kind in language.strings or kind in language.numbers:
        return Step.ATOM
    if kind in language.skipped:
        return Step.SPOIL
    if kind in language.names:
        return Step.NAME
    return Step.DESCEND if _opens(language, kind) or kind in language.patterns else Step.PLAIN


def _not_statements(language: Language) -> frozenset[str]:
    return language.comments | language.containers | language.not_statements


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
