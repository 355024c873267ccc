"""What nobody honest posts to `/ingest`: bent, broken, packed, too much of it, under strange keys and forms."""

from __future__ import annotations

import gzip
import json
import random
from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from schemas.envelope import POSTED_EPOCH
from tests.contract.golden import EVENTS, golden
from tests.support.hostile import COMPACT, DEEP, TEXTS, VALUES, at_limits, bent, written

FORMS: Final = (*["application/json", "application/x-ndjson", "application/jsonl"] * 5, "text/plain", "", "a/b; c=d")
ENCODINGS: Final = ("utf-16", "utf-32", "utf-8-sig", "utf-16-be", "utf-7")
PACKINGS: Final = ("gzip", "br", "deflate, gzip", "identity", "x" * 200)
KEYS: Final = (*(one for one in TEXTS if one.isascii() and one.isprintable()), "k" * 256, "k" * 257, "\u00e9\u00ff")
EPOCHS: Final = ("a" * 32, "f" * 32, POSTED_EPOCH)
ENVELOPE_BYTES: Final = (700_000, 1_047_000, 1_048_300, 2**20, 2**20 + 1)
MEGABYTES: Final = 64
REMEMBERED: Final = 20


class Post(NamedTuple):
    """One post."""

    body: bytes
    headers: dict[str, str]


class Posts:
    """Makes posts, of events that contradict and repeat each other; now and then one that was made before."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - the same posts every time
        self._made: deque[Post] = deque(maxlen=REMEMBERED)

    def make(self) -> Post:
        """Return the next post."""
        chance = self._chance
        if self._made and chance.random() < 0.05:
            return chance.choice(self._made)
        body = self._body()
        headers = {"Content-Type": chance.choice(FORMS)}
        if chance.random() < 0.1:
            headers["Idempotency-Key"] = chance.choice(KEYS)
        if chance.random() < 0.1:
            packing = chance.choice(PACKINGS)
            headers["Content-Encoding"] = packing
            body = chance.choice((gzip.compress(body), _bomb())) if packing == "gzip" else body
        self._made.append(Post(body, headers))
        return self._made[-1]

    def _body(self) -> bytes:
        makes = (self._of_limits, self._of_limits, self._of_bent, self._of_bent, self._broken, self._broken_envelope,
                 self._twice, self._otherwise_encoded, self._deep, self._padded, self._many)  # fmt: skip
        return self._chance.choice(makes)()

    def _of_limits(self) -> bytes:
        return self._joined(
            [at_limits(self._event(), self._chance) for _ in range(self._chance.choice((1, 2, 5, 101)))]
        )

    def _of_bent(self) -> bytes:
        return self._joined([bent(self._event(), self._chance) for _ in range(self._chance.choice((1, 1, 2)))])

    def _broken(self) -> bytes:
        return written(self._chance.choice(([self._event()], self._envelope(), VALUES)), self._chance)

    def _broken_envelope(self) -> bytes:
        return written(bent(self._envelope(), self._chance), self._chance)

    def _twice(self) -> bytes:
        """Say a field a second time, otherwise."""
        name = self._chance.choice(("type", "id", "version", "files", "sums", "fingerprint"))
        value = json.dumps(self._chance.choice(VALUES)).encode()
        return self._joined([self._event()]).replace(b"{", b'{"%s":%s,' % (name.encode(), value), 1)

    def _otherwise_encoded(self) -> bytes:
        return self._joined([self._event(), self._event()]).decode().encode(self._chance.choice(ENCODINGS))

    def _deep(self) -> bytes:
        deep = self._chance.choice((b"[", b'{"a":')) * DEEP
        return self._joined([self._event()]).replace(b":", b":" + deep, 1)

    def _padded(self) -> bytes:
        """Make an envelope so long; what it says beside is of no interest to anybody."""
        told = self._envelope() | {"padding": ""}
        size = self._chance.choice(ENVELOPE_BYTES) - len(_compact(told))
        return _compact(told | {"padding": "x" * size})

    def _many(self) -> bytes:
        return self._joined([self._event()] * self._chance.choice((1, 100, 1000, 1001)))

    def _event(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(golden(self._chance.choice(list(EVENTS))))
        for name in ("repository", "insight"):
            if name in told:
                told[name] = self._chance.choice("0123") * 32
        return told

    def _envelope(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(golden("envelope"))
        epoch, first = self._chance.choice(EPOCHS), self._chance.choice((1, 2, 50, 2**53 - 2))
        told["data"] = {"epoch": epoch, "first_seq": first, "events": [self._event() for _ in range(3)]}
        return told

    def _joined(self, events: Sequence[Any]) -> bytes:
        """Write events one on each line, as an array, or only the first."""
        lines = [_compact(one) for one in events]
        return self._chance.choice((b"\n".join(lines), b"[" + b",".join(lines) + b"]", b"\r\n\r\n".join(lines)))


@cache
def _bomb() -> bytes:
    """Little, from which much would come."""
    return gzip.compress(bytes(MEGABYTES << 20), 1)


def _compact(told: Any) -> bytes:
    return json.dumps(told, separators=COMPACT).encode()
