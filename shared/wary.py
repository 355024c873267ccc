"""nats-py's client, made to outlive what strangers send, and to say nothing in the clear where it was told not to.

The client stops reading, for good and without a word, at bytes it cannot read in a subject, a reply or a header. Its
server passes such bytes on, and the stream keeps them: whoever may speak at all could deafen who listens.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from nats.aio.client import Client
from nats.errors import SecureConnWantedError
from nats.js.api import Header

Headers: TypeAlias = dict[str, str] | None

_STORED: Final = b"$JS.ACK."
"""Begins the reply of whatever a stream delivers."""


class WaryClient(Client):
    """Reads everything: what is no text is replaced, headers that are none are left out.

    What comes out of a stream has no status: with one of the sender's making a fetch would take it for the server's
    word, fail, and fail again when it is delivered again.
    """

    async def _process_headers(self, headers: bytes) -> Headers:
        try:
            return await super()._process_headers(headers)
        except (ValueError, IndexError):
            return None

    def _build_message(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: Headers) -> Any:
        if headers and reply.startswith(_STORED):
            headers.pop(Header.STATUS.value, None)
        return super()._build_message(sid, _readable(subject), _readable(reply), data, headers)


class EncryptedClient(WaryClient):
    """A client that says nothing to a server without TLS.

    nats-py encrypts only when the greeting asks for it, and the greeting is in the clear: whoever stands in between
    could take the demand away, and be told the credentials.
    """

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: FBT001, FBT002 - as nats-py has it
        if initial_connection and not info.get("tls_required"):
            raise SecureConnWantedError
        await super()._process_info(info, initial_connection)


def _readable(text: bytes) -> bytes:
    return text if text.isascii() else text.decode(errors="replace").encode()
