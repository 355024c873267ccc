"""Which templates are part of one another: an index over chosen ones, so that nobody compares each with each.

If one text contains another, the inner tokens of the shorter one stand whole in the longer one. So a template can be
part only of those that hold its rarest inner token, and can hold only those whose rarest inner token it holds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_NEARLY_THE_SAME = 0.8


class Text(NamedTuple):
    """A template as it is compared, with the files it is in; `token` is its rarest inner one."""

    bare: str
    token: str
    files: int


class Containment:
    """The chosen templates; tokens are rare or common among all the `templates` there are to choose from."""

    def __init__(self, templates: Iterable[str]) -> None:
        self._uses: Counter[str] = Counter()
        for template in templates:
            self._uses.update(set(_bare(template).split(" ")))
        self._by_token: defaultdict[str, list[Text]] = defaultdict(list)
        self._by_rarest: defaultdict[str, list[Text]] = defaultdict(list)

    def text(self, template: str, files: int) -> Text:
        """Return a template as it is compared and chosen."""
        bare = _bare(template)
        return Text(bare, min(bare.split(" ")[1:-1], key=self._uses.__getitem__, default=""), files)

    def choose(self, text: Text) -> None:
        """Add a template to the chosen ones."""
        self._by_rarest[text.token].append(text)
        for token in {*text.bare.split(" "), ""}:
            self._by_token[token].append(text)

    def redundant(self, text: Text) -> bool:
        """Tell whether a template is part of a chosen one, or the reverse, with nearly the same support."""
        few, many = text.files * _NEARLY_THE_SAME, text.files / _NEARLY_THE_SAME
        return any(
            few <= other.files <= many and (text.bare in other.bare or other.bare in text.bare)
            for other in self._alike(text)
        )

    def _alike(self, text: Text) -> Iterator[Text]:
        """Go through the chosen ones that may hold this template, then those it may hold."""
        # The empty token stands for texts too short to have an inner one: it is looked up like a token all have.
        yield from self._by_token.get(text.token, ())
        for token in {*text.bare.split(" "), ""}:
            yield from self._by_rarest.get(token, ())


def _bare(template: str) -> str:
    """Return a template with all holes alike, so that their numbering does not hide containment."""
    return " ".join("$" if part[0] == "$" and part != "$" else part for part in template.split(" "))
