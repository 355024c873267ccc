"""Programs broken by chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

_MARKS = b"(){}[]<>\"'`;:,.=&|#@$!?/\\*-+\n\t "
_UNITS = (b"(", b"[", b"{", b"a(", b"a<", b"if x:\n", b"fn(", b"`${", b"f'{", b"a.", b"-", b"not ", b"(a,", b'"', b"/*")
_SIZES = (100, 3_000, 60_000)


def mutated(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Return a program that went through one to five mutations."""
    source = chance.choice(seeds)
    for _ in range(chance.randint(1, 5)):
        source = chance.choice(_MUTATIONS)(source, chance)
    return source


def _part(source: bytes, chance: random.Random) -> slice:
    start = chance.randrange(len(source) + 1)
    return slice(start, min(len(source), start + chance.choice((1, 5, 40, 400))))


def _cut(source: bytes, chance: random.Random) -> bytes:
    part = _part(source, chance)
    return source[: part.start] + source[part.stop :]


def _double(source: bytes, chance: random.Random) -> bytes:
    part = _part(source, chance)
    return source[: part.stop] + source[part] * chance.choice((1, 3, 200)) + source[part.stop :]


def _swap(source: bytes, chance: random.Random) -> bytes:
    part = _part(source, chance)
    return source[part.stop :] + source[part] + source[: part.start]


def _put_marks(source: bytes, chance: random.Random) -> bytes:
    part = _part(source, chance)
    return source[: part.start] + bytes(chance.choices(_MARKS, k=chance.choice((1, 10)))) + source[part.stop :]


def _nest(source: bytes, chance: random.Random) -> bytes:
    at = _part(source, chance).start
    unit = chance.choice(_UNITS)
    return source[:at] + unit * (chance.choice(_SIZES) // len(unit)) + source[at:]


def _stretch(source: bytes, chance: random.Random) -> bytes:
    """Make one huge line."""
    return source.replace(b"\n", b" ") * (chance.choice(_SIZES) // (len(source) + 1) + 1)


def _spoil_encoding(source: bytes, chance: random.Random) -> bytes:
    part = _part(source, chance)
    return source[: part.start] + chance.randbytes(part.stop - part.start) + source[part.stop :]


def _encode_otherwise(source: bytes, chance: random.Random) -> bytes:
    return source.decode("utf-8", "replace").encode(chance.choice(("utf-16", "utf-32", "utf-8-sig")))


def _replace_all(source: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(min(len(source), 5_000))


_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut, _cut, _double, _swap, _put_marks, _put_marks, _nest, _stretch, _spoil_encoding, _encode_otherwise,
    _replace_all,
)  # fmt: skip
