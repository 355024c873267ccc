"""From the tokens of a file to canonical template text: what is public keeps its name, the rest becomes holes.

A name is shown only when the language, its standard library or a foreign package the file imports gave it. That never
depends on other files of the repository beyond its own module names, so that the same code makes the same template
everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from instance.analysis.language import Role
from instance.analysis.languages import LANGUAGES
from instance.analysis.tokens import Tokens
from instance.learning.imports import Import, declared_modules, read_imports
from instance.learning.literals import shown_number, shown_string
from instance.learning.origins import OWN, origin_of
from instance.learning.vocabulary import LANGUAGE, Vocabulary

# Marks no token stands for. Their numbers are indexes from the end of `Pieces.shown`, where their texts lie.
OPEN, CLOSE, BREAK, FOLD = -4, -3, -2, -1
_MARKS = ("{", "}", "⏎", "{…}")
_DOTS = frozenset({".", "?.", "::"})
_IMPORT_ALL = "*"
_SPACED_WORDS = re.compile(
    r"\b(if|for|while|switch|catch|except|as|in|return|await|and|or|not|with|assert|yield|import)\("
)


class Shown(NamedTuple):
    """A name a template shows, and whose it is: "language" or the root of a foreign package."""

    name: str
    origin: str


class Pieces(NamedTuple):
    """What a template may show of each token, and at the end of the four marks.

    `shown` is the text, None for a hole; `links` is the same for holes that are one; `names` are the public names.
    """

    shown: list[str | None]
    links: list[str]
    names: list[Shown | None]


def pieces(tokens: Tokens, vocabulary: Vocabulary, own: frozenset[str]) -> Pieces:
    """Decide for every token of a file what a template may show of it."""
    return _Normaliser(tokens, vocabulary, own).run()


def hole(link: str, number: int) -> str:
    """Return what stands for a name that is not shown; Elixir's atoms and keys keep the colon that makes them so."""
    if link[0] == ":":
        return f":${number}"
    return f"${number}:" if link[-1] == ":" else f"${number}"


def readable(template: str) -> str:
    """Return a template on one line, spaced the way people write code; for eyes only, never for fingerprints."""
    text = re.sub(r"(?<=[\w$\"'\])}]) (?=[(\[,;:.?!](?!=))| ?(\.|::|\?\.) ?", lambda m: m[1] or "", template)
    text = re.sub(r"(?<=[(\[]) | (?=[)\]])", "", text)
    return _SPACED_WORDS.sub(r"\1 (", text)


class _Normaliser:
    """The decision for each token of one file, in order, so that a chain knows what it hangs from."""

    def __init__(self, tokens: Tokens, vocabulary: Vocabulary, own: frozenset[str]) -> None:
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.language = LANGUAGES[tokens.language]
        self.own = own | declared_modules(tokens)
        self.imported, self.imports_all = _imported(read_imports(tokens), vocabulary, self.own)
        self.shown: list[str | None] = list(tokens.texts)
        self.links = list(tokens.texts)
        self.names: list[Shown | None] = [None] * len(tokens.texts)

    def run(self) -> Pieces:
        shown, texts = self.shown, self.tokens.texts
        decide: dict[int, Callable[[int, str], str | None]] = {
            Role.NAME: self._name,
            Role.FIELD: self._field,
            Role.DEFINITION: self._definition,
            Role.BINDING: self._binding,
            Role.LABEL: self._label,
            Role.STRING: lambda _at, text: shown_string(text, self.language.name, self.vocabulary.strings),
            Role.NUMBER: lambda _at, text: shown_number(text),
            Role.ATOM: self._atom,
            Role.MODULE: self._module,
        }
        for at, role in enumerate(self.tokens.roles):
            if role:
                shown[at] = decide[role](at, texts[at])
        return Pieces([*shown, *_MARKS], self.links, [*self.names, *(None for _ in _MARKS)])

    def _keep(self, at: int, name: str, origin: str) -> str:
        self.names[at] = Shown(name, origin)
        return name

    def _name(self, at: int, text: str) -> str | None:
        if text in self.language.receivers:
            return text
        scope = self.tokens.scopes[at]
        imported = self.imported.get(text)
        if imported is not None and not self.tokens.is_bound_inside(text, scope):
            return self._keep(at, *imported) if imported.origin != OWN else None
        if text in self.vocabulary.bare and (self.language.calls_are_separate or not self.tokens.is_bound(text, scope)):
            return self._keep(at, text, LANGUAGE)
        if self.imports_all and len(text) > 1 and text[0].isupper() and text in self.vocabulary.members:
            return self._keep(at, text, LANGUAGE)
        if self.language.name == "rust" and self._heads_path(at):
            return self._crate(at, text)
        return None

    def _heads_path(self, at: int) -> bool:
        return self.tokens.texts[at + 1 : at + 2] == ["::"]

    def _crate(self, at: int, text: str) -> str | None:
        if text in self.own or self.tokens.is_bound(text, self.tokens.scopes[at]):
            return None
        if text in self.vocabulary.modules:
            return self._keep(at, text, LANGUAGE)
        return self._keep(at, text, text) if text in self.vocabulary.packages else None

    def _binding(self, _at: int, text: str) -> str | None:
        return text if text in self.language.receivers or (text == "_" and self.language.name != "python") else None

    def _definition(self, at: int, text: str) -> str | None:
        return self._keep(at, text, LANGUAGE) if text in self.vocabulary.protocol else None

    def _label(self, at: int, text: str) -> str | None:
        self.links[at] = f".{text}"
        return self._keep(at, text, LANGUAGE) if text in self.vocabulary.labels else None

    def _field(self, at: int, text: str) -> str | None:
        self.links[at] = f".{text}"
        following = self.tokens.texts[at + 1] if at + 1 < len(self.tokens.texts) else ""
        holder = self.names[at - 2] if at > 1 else None
        known = text in self.vocabulary.members
        if holder is not None and holder.origin != LANGUAGE and (known or following != "="):
            return self._keep(at, text, holder.origin)
        on_self = at > 1 and self.tokens.texts[at - 2] in self.language.receivers
        if known and (following == "(" or not on_self):
            return self._keep(at, text, LANGUAGE)
        return None

    def _atom(self, at: int, text: str) -> str | None:
        self.links[at] = text.strip()
        return self._keep(at, text.strip(), LANGUAGE) if text.strip(": ") in self.vocabulary.labels else None

    def _module(self, at: int, text: str) -> str | None:
        head, dot, rest = text.partition(".")
        imported = self.imported.get(head)
        full = f"{imported.name}{dot}{rest}" if imported is not None else text
        origin = origin_of(full, self.vocabulary, self.own)
        if origin == LANGUAGE:
            return self._keep(at, full, LANGUAGE)
        return self._keep(at, full, origin) if origin in self.vocabulary.packages else None


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
        if origin == LANGUAGE and not vocabulary.is_public(name):
            origin = OWN
        found[item.local] = Shown(name, origin)
    return found, imports_all


def _module_name(module: str, language: str) -> str:
    """Return what a module is called in templates, whatever the file calls it."""
    if language != "go":
        return module
    parts = [part for part in module.split("/") if not re.fullmatch(r"v\d+", part)]
    return re.sub(r"\.v\d+$", "", parts[-1]) if parts else module
