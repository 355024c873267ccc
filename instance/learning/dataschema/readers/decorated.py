"""Classes whose fields carry decorators or annotations: `@Column({...}) name: type` and `@Column(...) Type name;`."""

from __future__ import annotations

from typing import NamedTuple

from instance.learning.dataschema.readers.phrases import NO_CALL, Call, closing, labelled


class Decorated(NamedTuple):
    """A declaration: its decorators by last name, in order, and the texts behind them."""

    decorators: list[Call]
    texts: list[str]

    def one(self, *names: str) -> Call | None:
        """Return the first decorator of one of these names."""
        return next((each for each in self.decorators if each.path in names), None)

    def has(self, *names: str) -> bool:
        """Tell whether one of these decorates it."""
        return self.one(*names) is not None


def decorated(texts: list[str]) -> Decorated:
    """Split a declaration into what decorates it and itself; a modifier between decorators is dropped."""
    found: list[Call] = []
    at = 0
    while at + 1 < len(texts):
        if texts[at] in ("export", "default", "public") and texts[at + 1] == "@":
            at += 1
        if texts[at] != "@" or texts[at + 1] == "interface":
            break
        at += 1
        while texts[at + 1 : at + 2] == ["."]:
            at += 2
        name, arguments = texts[at] if at < len(texts) else "", NO_CALL
        if texts[at + 1 : at + 2] == ["("]:
            end = closing(texts, at + 1)
            arguments = Call(name, *labelled(texts[at + 2 : end]))
            at = end
        found.append(arguments._replace(path=name))
        at += 1
    return Decorated(found, texts[at:])


def options(found: Call) -> dict[str, list[str]]:
    """Return the named arguments of a call together with those of the objects among its arguments."""
    merged = dict(found.named)
    for part in found.arguments:
        if part[0] == "{":
            merged |= labelled(part[1 : closing(part, 0)])[1]
    return merged
