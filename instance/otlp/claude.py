"""What Claude Code exports: an `api_request` for each answer, an `api_error` where it gave up.

Its input tokens hold none of the cache. Its spans tell of the same requests and are left alone.
"""

from __future__ import annotations

from typing import Final

from instance.otlp.entries import Entry, cents, count, fingerprint, moment, nanoseconds, word
from instance.otlp.requests import Request
from instance.recording.words import named
from instance.store.results import Usage
from shared.errors import ContractError

EMITTER: Final = "claude-code"

_PREFIX: Final = "claude_code."
_SCOPE: Final = "com.anthropic.claude_code"
_EVENTS: Final = {"api_request": False, "api_error": True}
_HTTP_STATUSES: Final = range(400, 600)


def is_from(entry: Entry) -> bool:
    """Tell whether Claude Code said it."""
    return entry.name.startswith(_PREFIX) or entry.scope.startswith(_SCOPE) or entry.service == EMITTER


def read(entry: Entry) -> Request | None:
    """Read an event; None when it tells of no request. `ContractError` when what it tells makes no sense."""
    event = entry.name.removeprefix(_PREFIX)
    failed = _EVENTS.get(event)
    if failed is None:
        return None
    told = entry.attributes
    at = entry.ended_ns or nanoseconds(told, "event.timestamp")
    usage = _usage(entry)
    session = word(told, "session.id") or word(entry.resource, "session.id")
    request = word(told, "request_id", "client_request_id")
    return Request(
        emitter=EMITTER,
        identity=f"{event}:{request}" if request else fingerprint(event, session, _sequence(entry), at, usage),
        usage=usage,
        ended=moment(at),
        duration_ms=count(told, "duration_ms"),
        failed=failed,
        error=_error(entry) if failed else "",
        context=named(session=session, client=f"{EMITTER} {_version(entry)}".rstrip()),
    )


def _usage(entry: Entry) -> Usage:
    told = entry.attributes
    model = word(told, "model")
    if model is None:
        raise ContractError("model is missing or no name")
    return Usage(
        model_used=model,
        cost_cents=cents(told, "cost_usd"),
        input_tokens=count(told, "input_tokens"),
        output_tokens=count(told, "output_tokens"),
        cache_read_tokens=count(told, "cache_read_tokens"),
        cache_write_tokens=count(told, "cache_creation_tokens"),
    )


def _sequence(entry: Entry) -> int | None:
    return count(entry.attributes, "event.sequence")


def _version(entry: Entry) -> str:
    return word(entry.attributes, "app.version") or word(entry.resource, "app.version", "service.version") or ""


def _error(entry: Entry) -> str:
    status = str(entry.attributes.get("status_code", ""))
    return f"HTTP {status}" if status in map(str, _HTTP_STATUSES) else ""
