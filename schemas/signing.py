"""What an instance signs, byte for byte: Ed25519 over short texts, so that others can make and check them, too.

Keys are written as NATS writes the public keys of users (`U...`, with a checksum), signatures in base64url without
padding.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from schemas.subjects import Sender

LINKS_MAX: Final = 8
"""So many changes of key a message can tell of; who missed more has the key pinned by an operator."""

_ENVELOPE: Final = "flocklore-envelope-v1"
_SUCCESSION: Final = "flocklore-key-v1"


def envelope_statement(subject: str, message_id: str, body: bytes) -> bytes:
    """Who says what: the subject names the sender; of the body it is the blake2b-256.

    The message id is that of `Nats-Msg-Id`, empty without one. Neither subjects nor headers hold line breaks.
    """
    digest = blake2b(body, digest_size=32).hexdigest()
    return f"{_ENVELOPE}\n{subject}\n{message_id}\n{digest}".encode("utf-8", "surrogateescape")


def succession_statement(sender: Sender, successor: str) -> bytes:
    """What an old key signs: from now on this public key speaks for the instance."""
    return f"{_SUCCESSION}\n{sender.tenant}\n{sender.instance}\n{successor}".encode("utf-8", "surrogateescape")
