"""From the tokens of a file to canonical template text: what is public keeps its name, the rest becomes holes.

A name is shown only when the language, its standard library or a foreign package the file imports gave it. That never
depends on other files of the repository beyond its own module names, so that the same code makes the same template
everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import compress
from typing import NamedTuple

from instance.analysis.language import Role
from instance.analysis.languages import LANGUAGES
from instance.analysis.tokens import Tokens
from instance.learning.imports import Import, declared_modules, read_imports
from instance.learning.information import HOLE
from instance.learning.literals import shown_number, shown_string
from instance.learning.origins import OWN, origin_of
from instance.learning.vocabulary import LANGUAGE, Vocabulary

OPEN, CLOSE, BREAK, FOLDED_BODY, FOLDED_ARGUMENTS = "{", "}", "⏎", "{…}", "(…)"  # marks no token stands for
_FIELD, _NAME = int(Role.FIELD), int(Role.NAME)
_NAMES = frozenset({Role.NAME, Role.BINDING})
_IMPORT_ALL = "*"
_HOLE = re.compile(r"\x1a(\d+)")
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
    parts = _HOLE.split(text)
    links = parts[1::2]
    numbers = dict(zip(dict.fromkeys(links), _NUMBERS, strict=False))
    parts[1::2] = map(numbers.__getitem__, links)
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


class _Normaliser:
    """The decision for each token of one file, in order, so that a chain knows what it hangs from."""

    def __init__(self, tokens: Tokens, vocabulary: Vocabulary, own: frozenset[str]) -> None:
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.language = LANGUAGES[tokens.language]
        self.own = own | declared_modules(tokens)
        self.imported, self.imports_all = _imported(read_imports(tokens), vocabulary, self.own)
        self.names: list[Shown | None] = [None] * len(tokens.texts)
        self.links: dict[str, str] = {}

    def run(self) -> Labels:
        texts, roles, scopes, names = self.tokens.texts, self.tokens.roles, self.tokens.scopes, self.names
        shown, uses = list(texts), [""] * len(texts)
        # What the neighbours of a token cannot change is decided once: for a scope, or for the whole file.
        variables: dict[tuple[str, int], tuple[str, Shown | None]] = {}
        others: list[dict[str, tuple[str, Shown | None]]] = [{} for _ in Role]
        has_paths = self.language.name == "rust"
        for at in compress(range(len(texts)), roles):
            role, text = roles[at], texts[at]
            if role == _FIELD:
                name = names[at] = self._field(at, text)
                shown[at] = name[0] if name is not None else self._hole(f".{text}")
            elif role == _NAME:
                key = (text, scopes[at] * 2 + self._heads_path(at) if has_paths else scopes[at])
                decision = variables.get(key)
                if decision is None:
                    decision = variables[key] = self._decide(role, at, text)
                shown[at], names[at] = decision
                if decision[0][0] == HOLE:
                    uses[at] = decision[0]
            else:
                decision = others[role].get(text)
                if decision is None:
                    decision = others[role][text] = self._decide(role, at, text)
                shown[at], names[at] = decision
        return Labels(shown, uses, names)

    def _decide(self, role: int, at: int, text: str) -> tuple[str, Shown | None]:
        """Return what is written for a token, and the public name it is, if any."""
        if role == Role.STRING:
            return shown_string(text, self.language.name, self.vocabulary.strings), None
        if role == Role.NUMBER:
            return shown_number(text), None
        if role == Role.ATOM:
            text = text.strip()
        elif (role in _NAMES and text in self.language.receivers) or (role == Role.BINDING and self._is_blank(text)):
            return text, None
        name = self._public(role, at, text)
        return (name[0], name) if name is not None else (self._hole(f".{text}" if role == Role.LABEL else text), None)

    def _public(self, role: int, at: int, text: str) -> Shown | None:
        """Return the public name a token is; None when it may not be shown."""
        if role == Role.NAME:
            return self._name(at, text)
        if role == Role.MODULE:
            return self._module(text)
        words = self.vocabulary.protocol if role == Role.DEFINITION else self.vocabulary.labels
        known = role != Role.BINDING and text.strip(": ") in words
        return (text, LANGUAGE) if known else None

    def _is_blank(self, text: str) -> bool:
        return text == "_" and self.language.name != "python"

    def _hole(self, link: str) -> str:
        """Return the label of a hole; Elixir's atoms and keys keep the colon that makes them so."""
        found = self.links.get(link)
        if found is None:
            number = f"{HOLE}{len(self.links)}"
            found = f":{number}" if link[0] == ":" else f"{number}:" if link[-1] == ":" else number
            self.links[link] = found
        return found

    def _name(self, at: int, text: str) -> Shown | None:
        scope = self.tokens.scopes[at]
        imported = self.imported.get(text)
        if imported is not None and not self.tokens.is_bound_inside(text, scope):
            return imported if imported[1] != OWN else None
        if text in self.vocabulary.bare and (self.language.calls_are_separate or not self.tokens.is_bound(text, scope)):
            return text, LANGUAGE
        if self.imports_all and len(text) > 1 and text[0].isupper() and text in self.vocabulary.members:
            return text, LANGUAGE
        if self.language.name == "rust" and self._heads_path(at):
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
