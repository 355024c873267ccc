"""What agents need to know of one file, kept beside its postings so that nobody reads the file again."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from instance.learning.imports import Import
from shared.errors import PermanentError


class Facts(Struct, frozen=True, array_like=True):
    """Imports in order; library calls and tables as their own modules pack them."""

    imports: tuple[Import, ...] = ()
    calls: bytes = b""
    tables: bytes = b""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Facts)


def pack_facts(facts: Facts) -> bytes:
    """Return facts as bytes, the same for the same facts."""
    return _ENCODER.encode(facts)


def unpack_facts(packed: bytes) -> Facts:
    """Return what `pack_facts` packed; raises `PermanentError` on other bytes."""
    try:
        return _DECODER.decode(packed)
    except msgspec.MsgspecError as error:
        raise PermanentError("facts of an unknown form; mine this file again") from error
