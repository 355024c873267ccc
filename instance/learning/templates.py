"""From the tokens of a file to canonical template text: what is public keeps its name, the rest becomes holes.

A name is shown only when the language, its standard library or a foreign package the file imports gave it. That never
depends on other files of the repository beyond its own module names, so that the same code makes the same template
everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import compress, count
from typing import NamedTuple

from instance.analysis.language import Role
from instance.analysis.languages import LANGUAGES
from instance.analysis.tokens import Tokens
from instance.learning.imports import Import, declared_modules, read_imports
from instance.learning.information import HOLE
from instance.learning.literals import CHARACTERS, STRING_HOLE, shown_number, shown_string
from instance.learning.origins import OWN, origin_of
from instance.learning.vocabulary import LANGUAGE, Vocabulary

OPEN, CLOSE, BREAK, FOLDED_BODY, FOLDED_ARGUMENTS = "{", "}", "⏎", "{…}", "(…)"  # marks no token stands for
_FIELD, _NAME, _BINDING, _STRING, _NUMBER = (
    int(role) for role in (Role.FIELD, Role.NAME, Role.BINDING, Role.STRING, Role.NUMBER)
)
_QUOTES = "\"'`"
_IMPORT_ALL = "*"
_HOLES = tuple(f"{HOLE}{number}{HOLE}" for number in range(1 << 12))  # most files have fewer; made once
_NUMBERS = tuple(f"${number}" for number in range(1, 200))  # more than any template has tokens
_SPACED_WORDS = re.compile(
    r"\b(if|for|while|switch|catch|except|as|in|return|await|and|or|not|with|assert|yield|import|const|let|var|of)([(\[!])"
)
_PREFIX = re.compile(  # the space after a mark that belongs to what follows, and before one that belongs to the left
    r"(?<=[#@]) (?=[\[$\w!])|(?<=\w[!?]) (?=[(\[])|(?<=# !) |(?<=[ (]!) (?=[\w$(])"
    r"|(?<=[(\[]&) |(?<=[,=<>:] &) |(?<=') (?=[\w$])| (?=\+\+|--)"
)
_GENERIC = re.compile(r"([\w$]) < ((?![\d#])(?:(?!&&|\|\|)[^<>=;{}]|<[^ ][^<>]*>)*?) >(?!=)")
_GENERICS_NESTED_MAX = 4

Shown = tuple[str, str]
"""A name a template shows, and whose it is: "language" or the root of a foreign package."""

Decision = tuple[str, Shown | None]
"""What is written for a token, and the public name it is, if any."""


class Labels(NamedTuple):
    """What a template writes for each token of a file.

    `texts` is what is shown, or for a hole the number of what links it to others; `uses` is the same where a variable
    is read and "" elsewhere; `names` are the public names.
    """

    texts: list[str]
    uses: list[str]
    names: list[Shown | None]


def label(tokens: Tokens, vocabulary: Vocabulary, own: frozenset[str]) -> Labels:
    """Decide for every token of a file what a template may show of it."""
    return _Normaliser(tokens, vocabulary, own).run()


def numbered(text: str) -> tuple[str, int]:
    """Number the holes of joined labels by their first occurrence; returns how many there are."""
    parts = text.split(HOLE)
    numbers: dict[str, str] = {}
    for at in range(1, len(parts), 2):
        link = parts[at]
        number = numbers.get(link)
        if number is None:
            number = numbers[link] = _NUMBERS[len(numbers)]
        parts[at] = number
    return "".join(parts), len(numbers)


def readable(template: str) -> str:
    """Return a template on one line, spaced the way people write code; for eyes only, never for fingerprints."""
    text = re.sub(r"(?<=[\w$\"'\])}]) (?=[(\[,;:.?!](?!=))| ?(\.|::|\?\.) ?", lambda m: m[1] or "", template)
    text = re.sub(r"(?<=[(\[]) | (?=[)\]])", "", text)
    text = _SPACED_WORDS.sub(r"\1 \2", text)
    text = _PREFIX.sub("", text)
    for _ in range(_GENERICS_NESTED_MAX):
        text = _GENERIC.sub(r"\1<\2>", text)
    return text


class _Holes(dict[str, str]):
    """The labels of a file's holes by what links them; Elixir's atoms and keys keep the colon that makes them so."""

    def __missing__(self, link: str) -> str:
        place = len(self)
        hole = _HOLES[place] if place < len(_HOLES) else f"{HOLE}{place}{HOLE}"
        self[link] = label = f":{hole}" if link[0] == ":" else f"{hole}:" if link[-1] == ":" else hole
        return label


class _Normaliser:
    """The decision for each token of one file, in order, so that a chain knows what it hangs from."""

    def __init__(self, tokens: Tokens, vocabulary: Vocabulary, own: frozenset[str]) -> None:
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.language = LANGUAGES[tokens.language]
        self.has_paths = tokens.language == "rust"
        self.quotes = '"`' if tokens.language in CHARACTERS else _QUOTES
        self.own = own | declared_modules(tokens)
        self.imported, self.imports_all = _imported(read_imports(tokens), vocabulary, self.own)
        self.bound = frozenset().union(*tokens.bound)
        self.names: list[Shown | None] = [None] * len(tokens.texts)
        self.holes = _Holes()
        self.decided: list[dict[str, Decision]] = [{} for _ in range(len(Role))]  # by role
        self.decided_here: dict[tuple[str, int, bool], Decision] = {}

    def run(self) -> Labels:
        texts, roles, names, members = self.tokens.texts, self.tokens.roles, self.names, self.vocabulary.members
        shown, uses = list(texts), [""] * len(texts)
        decided = self.decided
        fields: dict[str, str] = {}
        for at, role, text in compress(zip(count(), roles, texts), roles):
            if role == _FIELD:
                if text in members or names[at - 2] is not None:
                    name = names[at] = self._field(at, text)
                    if name is not None:
                        continue
                shown[at] = fields.get(text) or fields.setdefault(text, self.holes[f".{text}"])
                continue
            written, name = decided[role].get(text) or self._decide(role, at, text)
            shown[at] = written
            if name is not None:
                names[at] = name
            elif role == _NAME and written[0] == HOLE:
                uses[at] = written
        return Labels(shown, uses, names)

    def _decide(self, role: int, at: int, text: str) -> Decision:
        """Decide what is written for a token: once in a file, or once in a scope if its place may change it."""
        if role == _NAME:
            if self._depends_on_place(text):
                place = (text, self.tokens.scopes[at], self.has_paths and self._heads_path(at))
                return self.decided_here.get(place) or self.decided_here.setdefault(place, self._variable(at, text))
            decision = self._variable(at, text)
        elif role == _STRING:
            decision = self._string(text), None
        elif role == _NUMBER:
            decision = shown_number(text), None
        else:
            decision = self._word(role, text)
        self.decided[role][text] = decision
        return decision

    def _variable(self, at: int, text: str) -> Decision:
        if text in self.language.receivers:
            return text, None
        name = self._name(at, text)
        return (self.holes[text], None) if name is None else (name[0], name)

    def _depends_on_place(self, text: str) -> bool:
        """Tell whether a variable of this name may be public in one place and not in another."""
        words = self.vocabulary
        if self.has_paths and (text in words.modules or text in words.packages):
            return True
        return text in self.bound and (text in self.imported or text in words.bare)

    def _string(self, text: str) -> str:
        """Return what is shown of a string; most are no more than their quotation marks and what nobody else says."""
        if text[0] in self.quotes and text.strip(_QUOTES) not in self.vocabulary.strings:
            return STRING_HOLE
        return shown_string(text, self.language.name, self.vocabulary.strings)

    def _word(self, role: int, text: str) -> Decision:
        """Decide about a name that is bound or defined, or stands where the names of others may."""
        words, link = self.vocabulary.labels, text
        if role == _BINDING:
            is_blank = text == "_" and self.language.name != "python"
            return (text if is_blank or text in self.language.receivers else self.holes[text]), None
        if role == Role.ATOM:
            link = text = text.strip()
        elif role == Role.LABEL:
            link = f".{text}"
        elif role == Role.DEFINITION:
            words = self.vocabulary.protocol
        elif role == Role.MODULE:
            name = self._module(text)
            return (self.holes[text], None) if name is None else (name[0], name)
        return (text, (text, LANGUAGE)) if text.strip(": ") in words else (self.holes[link], None)

    def _name(self, at: int, text: str) -> Shown | None:
        scope = self.tokens.scopes[at]
        imported = self.imported.get(text)
        if imported is not None and not self.tokens.is_bound_inside(text, scope):
            return imported if imported[1] != OWN else None
        if text in self.vocabulary.bare and (self.language.calls_are_separate or not self.tokens.is_bound(text, scope)):
            return text, LANGUAGE
        if self.imports_all and len(text) > 1 and text[0].isupper() and text in self.vocabulary.members:
            return text, LANGUAGE
        if self.has_paths and self._heads_path(at):
            return self._crate(at, text)
        return None

    def _heads_path(self, at: int) -> bool:
        return self.tokens.texts[at + 1 : at + 2] == ["::"]

    def _crate(self, at: int, text: str) -> Shown | None:
        if text in self.own or self.tokens.is_bound(text, self.tokens.scopes[at]):
            return None
        if text in self.vocabulary.modules:
            return text, LANGUAGE
        return (text, text) if text in self.vocabulary.packages else None

    def _field(self, at: int, text: str) -> Shown | None:
        texts = self.tokens.texts
        following = texts[at + 1] if at + 1 < len(texts) else ""
        holder = self.names[at - 2] if at > 1 else None
        known = text in self.vocabulary.members
        if holder is not None and holder[1] != LANGUAGE and (known or following != "="):
            return text, holder[1]
        on_self = at > 1 and texts[at - 2] in self.language.receivers
        return (text, LANGUAGE) if known and (following == "(" or not on_self) else None

    def _module(self, text: str) -> Shown | None:
        head, dot, rest = text.partition(".")
        imported = self.imported.get(head)
        full = f"{imported[0]}{dot}{rest}" if imported is not None else text
        origin = origin_of(full, self.vocabulary, self.own)
        return (full, origin) if origin == LANGUAGE or origin in self.vocabulary.packages else None


def _imported(imports: Iterable[Import], vocabulary: Vocabulary, own: frozenset[str]) -> tuple[dict[str, Shown], bool]:
    """Return what each imported name shows, and whether everything of a standard module was imported."""
    found: dict[str, Shown] = {}
    imports_all = False
    for item in imports:
        origin = origin_of(item.module, vocabulary, own)
        if item.name == _IMPORT_ALL:
            imports_all |= origin == LANGUAGE
            continue
        name = item.name or _module_name(item.module, vocabulary.language)
        if origin == LANGUAGE and item.name and not vocabulary.is_public(name):
            origin = OWN
        found[item.local] = (name, origin)
    return found, imports_all


def _module_name(module: str, language: str) -> str:
    """Return what a module is called in templates, whatever the file calls it."""
    if language != "go":
        return module
    parts = [part for part in module.split("/") if not re.fullmatch(r"v\d+", part)]
    return re.sub(r"\.v\d+$", "", parts[-1]) if parts else module
