"""Keys of instances: Ed25519 pairs that sign what is said, and how one key is followed by another."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import nkeys
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from schemas.headers import MESSAGE_ID, SIGNATURE, SIGNING_KEY, SUCCESSION
from schemas.signing import LINKS_MAX, envelope_statement, succession_statement
from schemas.subjects import Sender

SIGNATURE_BYTES: Final = 64
_PUBLIC_CHARACTERS: Final = 56
_KEYS_REMEMBERED: Final = 4096


class Link(NamedTuple):
    """An old key, and its signature of the key that follows it."""

    old: str
    signature: str


@dataclass(frozen=True)
class Signer:
    """A pair of keys that speaks for somebody; the seed is the secret, and stands in no text made of it."""

    seed: str
    succession: tuple[Link, ...] = ()
    """The keys before it, the oldest first."""

    def __repr__(self) -> str:
        return f"Signer({self.public})"

    @classmethod
    def new(cls) -> Signer:
        """Make a pair of 32 random bytes."""
        return cls(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER).decode())

    @property
    def public(self) -> str:
        """What others know it by."""
        return _public_of(self.seed)

    def followed(self, sender: Sender) -> Signer:
        """Make a new pair that this one vouches for."""
        new = Signer.new()
        link = Link(self.public, self._sign(succession_statement(sender, new.public)))
        return Signer(new.seed, (*self.succession, link)[-LINKS_MAX:])

    def seal(self, subject: str, message_id: str, body: bytes) -> dict[str, str]:
        """Sign a message; returns the headers that say so."""
        sealed = {SIGNING_KEY: self.public, SIGNATURE: self._sign(envelope_statement(subject, message_id, body))}
        if self.succession:
            sealed[SUCCESSION] = written(self.succession)
        return sealed

    def _sign(self, statement: bytes) -> str:
        return _encoded(_signing_key(self.seed).sign(statement).signature)


class Seal(NamedTuple):
    """What the headers of a message say of its signature; nothing of it is verified yet."""

    key: str
    signature: str
    succession: str
    message_id: str

    @classmethod
    def of(cls, headers: Mapping[str, str] | None) -> Seal | None:
        """Read the headers; None when they hold neither a key nor a signature."""
        if not headers or not (SIGNATURE in headers or SIGNING_KEY in headers):
            return None
        names = (SIGNING_KEY, SIGNATURE, SUCCESSION, MESSAGE_ID)
        return cls(*(headers.get(name, "") for name in names))

    def fits(self, subject: str, body: bytes) -> bool:
        """Whether the key it names signed this message."""
        return _is_signed(self.key, self.signature, envelope_statement(subject, self.message_id, body))

    def follows(self, known: str, sender: Sender) -> bool:
        """Whether its key is vouched for by a known one, directly or through the keys between them."""
        links = read(self.succession)
        olds = [link.old for link in links]
        if known not in olds:
            return False
        rest = links[olds.index(known) :]
        successors = [*(link.old for link in rest[1:]), self.key]
        return all(
            _is_signed(link.old, link.signature, succession_statement(sender, successor))
            for link, successor in zip(rest, successors, strict=True)
        )


def is_public_key(text: str) -> bool:
    """Whether it is a public key, its checksum included."""
    return _verify_key(text) is not None


def written(succession: tuple[Link, ...]) -> str:
    """The text of the header, and of the database."""
    return " ".join(f"{link.old}.{link.signature}" for link in succession)


def read(text: str) -> tuple[Link, ...]:
    """Read what `written` made, at most `LINKS_MAX` of it."""
    return tuple(Link(*part.partition(".")[::2]) for part in text.split(" ", LINKS_MAX)[:LINKS_MAX] if part)


def _is_signed(key: str, signature: str, statement: bytes) -> bool:
    verify_key, given = _verify_key(key), _decoded(signature)
    if verify_key is None or len(given) != SIGNATURE_BYTES:
        return False
    try:
        verify_key.verify(statement, given)
    except BadSignatureError:
        return False
    return True


@lru_cache(8)
def _signing_key(seed: str) -> SigningKey:
    _, raw = nkeys.decode_seed(seed.encode())
    return SigningKey(raw)


@lru_cache(8)
def _public_of(seed: str) -> str:
    public: bytes = nkeys.from_seed(seed.encode()).public_key
    return public.decode()


@lru_cache(_KEYS_REMEMBERED)
def _verify_key(public: str) -> VerifyKey | None:
    """Read a public key: a byte of its kind, 32 of the key, two of a checksum; None when it is not one."""
    try:
        raw = base64.b32decode(public)
    except (binascii.Error, ValueError):
        return None
    if len(public) != _PUBLIC_CHARACTERS or raw[0] != nkeys.PREFIX_BYTE_USER:
        return None
    if nkeys.crc16(raw[:-2]) != int.from_bytes(raw[-2:], "little"):
        return None
    return VerifyKey(raw[1:-2])


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Read a signature; empty when it is none."""
    try:
        return base64.urlsafe_b64decode(text.encode() + b"==")
    except (binascii.Error, ValueError):
        return b""
