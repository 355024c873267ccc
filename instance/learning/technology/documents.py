"""Documents nobody vouches for: whatever is not what it should be reads as empty."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import yaml

Table = Mapping[str, Any]
EMPTY: Final[Table] = MappingProxyType({})
DEPTH_MAX: Final = 100
DOTS_MAX: Final = 1000
_BRACKETS = re.compile(r"[\[\]{}]")


class UnreadableError(ValueError):
    """A text is not written in the language its file name promises."""


def table(value: object) -> Table:
    """Return a mapping, or an empty one."""
    return value if isinstance(value, dict) else EMPTY


def rows(value: object) -> list[Any]:
    """Return a list, or an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """Return a string, or an empty one."""
    return value if isinstance(value, str) else ""


def words(value: object) -> list[str]:
    """Return the strings of a list."""
    return [item for item in rows(value) if isinstance(item, str)]


def read_json(source: str) -> Table:
    """Return a JSON object; raises `UnreadableError`."""
    try:
        return table(json.loads(source))
    except (ValueError, RecursionError) as error:
        raise UnreadableError("not JSON") from error


def read_toml(source: str) -> Table:
    """Return a TOML document; raises `UnreadableError`."""
    if any(line.count(".") > DOTS_MAX for line in source.splitlines()):
        raise UnreadableError("nested too deeply")  # a dotted key takes quadratic time
    try:
        return tomllib.loads(source)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("not TOML") from error


def read_yaml(source: str) -> Table:
    """Return the mapping of a YAML document, every scalar as its text; raises `UnreadableError`.

    Built from the parser's events: the loaders recurse, in C until the stack overflows, and unfold merged aliases.
    """
    import yaml  # noqa: PLC0415 - only pnpm writes YAML; nobody else pays for it

    if _deepest_bracket(source) > DEPTH_MAX:
        raise UnreadableError("nested too deeply")  # the scanner takes quadratic time
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return table(_composed(yaml.parse(source, Loader=loader)))
    except (yaml.YAMLError, ValueError) as error:
        raise UnreadableError("not YAML") from error


def _deepest_bracket(source: str) -> int:
    return max(accumulate(1 if bracket in "[{" else -1 for bracket in _BRACKETS.findall(source)), default=0)


def _composed(events: Iterable[yaml.Event]) -> object:
    """Return the first document; an alias reads as an empty text."""
    opened: list[list[object]] = [[]]
    for event in events:
        match type(event).__name__:
            case "ScalarEvent" | "AliasEvent":
                opened[-1].append(getattr(event, "value", ""))
            case "MappingStartEvent" | "SequenceStartEvent":
                opened.append([])
            case "SequenceEndEvent":
                opened[-2].append(opened.pop())
            case "MappingEndEvent":
                children = opened.pop()
                pairs = zip(children[::2], children[1::2], strict=True)
                opened[-1].append({key: value for key, value in pairs if isinstance(key, str)})
        if len(opened) > DEPTH_MAX:
            raise UnreadableError("nested too deeply")
    return opened[0][0] if opened[0] else None
