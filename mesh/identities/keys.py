"""Keys of NATS (nkeys): Ed25519, the public half told to the server, the seed kept by who it stands for."""

from __future__ import annotations

import os
from typing import Final, Literal, NamedTuple

import nkeys

Role = Literal["user", "account", "operator"]

_PREFIXES: Final[dict[Role, int]] = {
    "user": nkeys.PREFIX_BYTE_USER,
    "account": nkeys.PREFIX_BYTE_ACCOUNT,
    "operator": nkeys.PREFIX_BYTE_OPERATOR,
}


class Key(NamedTuple):
    """A pair; the seed is the secret, and stands in no text made of it."""

    public: str
    seed: str

    def __repr__(self) -> str:
        return f"Key({self.public})"

    def sign(self, data: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        signature: bytes = nkeys.from_seed(self.seed.encode()).sign(data)
        return signature


def new_key(role: Role) -> Key:
    """Make a pair of 32 random bytes."""
    return key_of(nkeys.encode_seed(os.urandom(32), _PREFIXES[role]).decode())


def key_of(seed: str) -> Key:
    """The pair of a seed."""
    return Key(nkeys.from_seed(seed.encode()).public_key.decode(), seed)
