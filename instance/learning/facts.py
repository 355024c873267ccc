"""What agents need to know of one file, kept beside its postings so that nobody reads the file again."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from instance.analysis.tokens import Tokens
from instance.learning.architecture.outline import Outline
from instance.learning.architecture.reading import outline
from instance.learning.dataschema.changes import Change, pack, unpack
from instance.learning.dataschema.reading import tables_in
from instance.learning.idioms import FileContext
from instance.learning.imports import Import, read_imports
from instance.learning.usage.calls import LibraryCalls, calls_in, pack_calls, unpack_calls
from shared.errors import PermanentError


class Facts(Struct, frozen=True, array_like=True):
    """Imports in order, what the file says of the architecture, and its library calls and tables as they are packed."""

    imports: tuple[Import, ...] = ()
    outline: Outline = Outline()
    packed_calls: bytes = b""
    packed_tables: bytes = b""

    @property
    def calls(self) -> list[LibraryCalls]:
        """The calls of each function by library."""
        return unpack_calls(self.packed_calls) if self.packed_calls else []

    @property
    def tables(self) -> list[Change]:
        """What the file does to the database's schema, in order."""
        return unpack(self.packed_tables) if self.packed_tables else []


_ENCODER = msgspec.msgpack.Encoder(order="deterministic")
_DECODER = msgspec.msgpack.Decoder(Facts)


def gather_facts(path: str, tokens: Tokens, context: FileContext) -> Facts:
    """Return the facts of one parsed file."""
    imports = tuple(read_imports(tokens))
    calls = calls_in(tokens, imports, context.vocabulary, context.own)
    tables = tables_in(path, tokens, tokens.language)
    return Facts(imports, outline(tokens), pack_calls(calls) if calls else b"", pack(tables) if tables else b"")


def pack_facts(facts: Facts) -> bytes:
    """Return facts as bytes, the same for the same facts."""
    return _ENCODER.encode(facts)


def unpack_facts(packed: bytes) -> Facts:
    """Return what `pack_facts` packed; raises `PermanentError` on other bytes."""
    try:
        return _DECODER.decode(packed)
    except msgspec.MsgspecError as error:
        raise PermanentError("facts of an unknown form; mine this file again") from error
