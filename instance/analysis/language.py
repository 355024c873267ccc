"""What describes a language to the parser: the roles its tokens play and the node kinds of its grammar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Role(IntEnum):
    """What a token is in its statement; decides whether its text may be seen in a template."""

    MARK = 0  # keyword, operator or bracket: the text stays
    NAME = 1  # reference to a variable, function or type
    FIELD = 2  # whatever follows a dot (or ::)
    DEFINITION = 3  # the name a function, type or method is given
    BINDING = 4  # a variable or parameter where it is bound
    LABEL = 5  # keyword argument, object key, struct field
    STRING = 6
    NUMBER = 7
    ATOM = 8  # Elixir's :atom and key:
    MODULE = 9  # Elixir's dotted Module.Name


FUNCTION, METHOD, CLASS = "function", "method", "class"


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


def roles(role: Role, text: str) -> dict[str, Role]:
    """Return the same role for every word of a text."""
    return dict.fromkeys(text.split(), role)


def defining(functions: str, classes: str, methods: str = "") -> dict[str, str]:
    """Return what each word of the texts defines."""
    return {
        **dict.fromkeys(functions.split(), FUNCTION),
        **dict.fromkeys(classes.split(), CLASS),
        **dict.fromkeys(methods.split(), METHOD),
    }


# Leaves some grammar gives a kind of its own, so that they are neither anonymous nor names.
KEYWORDS = words(
    """
    true false null nil none None True False undefined this super self crate mut iota void default import
    string number boolean any unknown never object symbol bigint byte short int long char float double
    public private protected readonly override abstract async unsafe const static final transient volatile
    synchronized native strictfp sealed extern macro_rules!
    """
)


def is_word_of_grammar(text: str) -> bool:
    """Tell whether a leaf the language's data says nothing about may be shown: a known keyword, or no word at all."""
    return text in KEYWORDS or not any(letter.isalnum() for letter in text)


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its files and the node kinds of its grammar that matter to mining.

    `roles` maps `kind.field` (or `kind.*` for every child) to the role of the names directly there; a role passes
    down through `patterns` only. `containers` hold statements; `blocks` are folded but not searched. `definitions`
    are node kinds and what they define; where no node kind tells, `definition_words` begin the statement that does.
    """

    name: str
    grammar: str
    extensions: tuple[str, ...]
    containers: frozenset[str]
    names: dict[str, Role]
    roles: dict[str, Role]
    strings: frozenset[str]
    numbers: frozenset[str]
    entry: str = "language"
    family: str = ""
    blocks: frozenset[str] = frozenset()
    comments: frozenset[str] = frozenset({"comment"})
    patterns: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    definitions: Mapping[str, str] = field(default_factory=dict)
    definition_words: Mapping[str, str] = field(default_factory=dict)
    not_statements: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    receivers: frozenset[str] = field(default_factory=frozenset)
    indented: bool = False
    optional_semicolons: bool = False
    capitals_are_constants: bool = False
    calls_are_separate: bool = False

    @property
    def fingerprint_name(self) -> str:
        """The name fingerprints are made with: dialects of one language share it."""
        return self.family or self.name
