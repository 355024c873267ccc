"""What nobody honest sends: golden messages with one thing in them bent, and envelopes of events at every limit."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any, Final

from tests.support.mutations import mutated

COUNT_MAX: Final = 2**53 - 1
DEEP: Final = 20_000
COMPACT: Final = (",", ":")
"""As events are put together where envelopes are set aside."""

NUMBERS: Final = (
    0, 1, -1, 2**31, COUNT_MAX, COUNT_MAX + 1, 2**63 - 1, 2**63, 2**64, 10**400, 0.5, -0.5, 1e308, -1e308, 1e-320,
    float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
TEXTS: Final = (
    "", "\0", "a\0b", "\ud800", "\udfff\ud800", "x" * 4096, "x" * 5000, "\u202e\u2066", "\x1b]0;owned\x07\x1b[2J",
    "'; DROP TABLE observations; --", "<script>alert(1)</script>", "../../../etc/passwd", "%2F%00", "*", ">", "a.b",
    "\n", "\r\n\r\n", "{{7*7}}", "null", "NaN", "\U0010ffff", "e\u0301", "0" * 32, "f" * 32, "default", "_", "%",
)  # fmt: skip
TIMES: Final = (
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999999Z",
    "1970-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01", "0001-01-01", "9999-12-31",
)  # fmt: skip
VALUES: Final[tuple[Any, ...]] = (*NUMBERS, *TEXTS, *TIMES, None, True, False, [], {}, [[]], {"": {}}, [None] * 1000)
LIMITS: Final = (0, 1, 2**31, COUNT_MAX)


def bent(document: Any, chance: random.Random) -> Any:
    """Return a copy in which something is another value, or gone, or there under another name."""
    whole = [copy.deepcopy(document)]
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        container, key = chance.choice(list(_places(whole)))
        _bend(container, key, chance)
    return whole[0]


def _places(container: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(container) if isinstance(container, dict) else range(len(container))
    for key in keys:
        yield container, key
        if isinstance(container[key], dict | list):
            yield from _places(container[key])


def _bend(container: Any, key: Any, chance: random.Random) -> None:
    match chance.randrange(8):
        case 0 if isinstance(container, dict):
            del container[key]
        case 1 if isinstance(container, dict):
            container[chance.choice(TEXTS)] = container.pop(key)
        case 2 if isinstance(container, list):
            container[key:key] = [copy.deepcopy(container[key])] * chance.choice((1, 3, 200))
        case 3:
            container[key] = {"": container[key]}
        case _:
            container[key] = copy.deepcopy(chance.choice(VALUES))


def written(document: Any, chance: random.Random) -> bytes:
    """Write a document down: as JSON, as what only looks like it, or broken."""
    told = json.dumps(document, ensure_ascii=chance.random() < 0.5, separators=COMPACT).encode("utf-8", "surrogatepass")
    match chance.randrange(12):
        case 0:
            return mutated([told], chance)
        case 1:
            return told[: chance.randrange(len(told))]
        case 2:
            return told.replace(b":", b":" + b"[" * DEEP, 1)
        case 3:
            return chance.choice((b"", b"\0", b"\xff\xfe", b"null", b"[]", b"{}", b"[" * DEEP, b'{"a":' * DEEP))
        case _:
            return told


def at_limits(event: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return an event that can be read, with numbers as large and small as they may be."""
    return {key: _at_limit(key, value, chance) for key, value in event.items()}


def _at_limit(key: str, value: Any, chance: random.Random) -> Any:
    if isinstance(value, bool) or chance.random() < 0.3:
        return value
    if isinstance(value, int):
        return max(1, chance.choice(LIMITS)) if key == "version" else chance.choice(LIMITS)
    if isinstance(value, float):
        return chance.choice((0.0, 1.0, 1e-320)) if key in _SHARES else chance.choice((0.0, 1e-320, 1e308))
    if isinstance(value, dict):
        return at_limits(value, chance)
    return value


_SHARES: Final = frozenset({"confidence"})
