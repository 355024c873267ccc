"""Message headers: CloudEvents 1.0 attributes (binary mode) and W3C trace context."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

MESSAGE_ID: Final = "Nats-Msg-Id"
EXPECTED_STREAM: Final = "Nats-Expected-Stream"
TRACEPARENT: Final = "traceparent"

SIGNATURE: Final = "Flocklore-Signature"
"""By the key of the sender, of `signing.envelope_statement`; base64url. Absent: the sender does not sign."""

SIGNING_KEY: Final = "Flocklore-Key"
"""The public key of the signature."""

SUCCESSION: Final = "Flocklore-Succession"
"""Keys before that one, the oldest first, as `key.signature`, each of `signing.succession_statement` of the next."""


def cloudevent(*, event_id: str, event_type: str, source: str, subject: str = "") -> dict[str, str]:
    """CloudEvents attributes as `ce-*` headers, values percent-encoded outside printable ASCII."""
    attributes = {
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-type": event_type,
        "ce-source": source,
        "ce-time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "content-type": "application/json",
    }
    if subject:
        attributes["ce-subject"] = subject
    return {name: quote(value, safe="!#$&'()*+,-./:;<=>?@[]^_`{|}~ ") for name, value in attributes.items()}


def traceparent(parent: str | None = None) -> str:
    """Start a trace, or go on in the trace of `parent` with a new span (W3C Trace Context, version 00)."""
    trace = parent.split("-")[1] if parent and parent.count("-") == 3 else secrets.token_hex(16)  # noqa: PLR2004 - four fields
    return f"00-{trace}-{secrets.token_hex(8)}-01"
