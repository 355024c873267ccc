"""What Codex exports as log records: tokens with the event that completes a response, errors with the attempts.

Cached and written input are part of input, reasoning is part of output. An `api_request` that went well tells nothing
its completed response does not. How long a response took is told nowhere: what has a duration is the wait for one
event. Its spans tell of the same requests and are left alone.
"""

from __future__ import annotations

from typing import Final

from instance.otlp.entries import Entry, count, fingerprint, moment, nanoseconds, word
from instance.otlp.requests import Request
from instance.recording.words import named
from instance.store.results import Usage
from shared.errors import ContractError

EMITTER: Final = "codex"

_PREFIX: Final = "codex."
_EVENTS: Final = frozenset({"codex.sse_event", "codex.websocket_event"})
_ATTEMPTS: Final = frozenset({"codex.api_request", "codex.websocket_request"})
_COMPLETED, _FAILED = "response.completed", "response.failed"
_HTTP_FAILED: Final = range(400, 600)


def is_from(entry: Entry) -> bool:
    """Tell whether Codex said it."""
    return entry.name.startswith(_PREFIX) or entry.service.startswith(EMITTER)


def read(entry: Entry) -> Request | None:
    """Read an event; None when it tells of no request. `ContractError` when what it tells makes no sense."""
    failed = _failed(entry)
    if failed is None:
        return None
    told = entry.attributes
    at = entry.ended_ns or nanoseconds(told, "event.timestamp")
    session = word(told, "conversation.id", "thread.id")
    usage = _usage(entry)
    status = _status(entry)
    return Request(
        emitter=EMITTER,
        identity=fingerprint(entry.name, session, at, told.get("event.timestamp", ""), _attempt(entry), usage),
        usage=usage,
        ended=moment(at),
        failed=failed,
        error=f"HTTP {status}" if failed and status in _HTTP_FAILED else "",
        context=named(session=session, client=f"{EMITTER} {_version(entry)}".rstrip()),
    )


def _failed(entry: Entry) -> bool | None:
    """Whether a request that is over failed; None of everything else."""
    told = entry.attributes
    if entry.name in _ATTEMPTS:
        return True if told.get("error.message") or _status(entry) in _HTTP_FAILED else None
    kind = told.get("event.kind")
    if entry.name not in _EVENTS or kind not in (_COMPLETED, _FAILED):
        return None
    if kind == _FAILED or told.get("error.message"):
        return True
    return False if "input_token_count" in told or "output_token_count" in told else None


def _usage(entry: Entry) -> Usage:
    told = entry.attributes
    model = word(told, "model", "slug")
    if model is None:
        raise ContractError("model is missing or no name")
    given, output = count(told, "input_token_count"), count(told, "output_token_count")
    read, written = count(told, "cached_token_count"), count(told, "cache_write_token_count")
    reasoning = count(told, "reasoning_token_count")
    return Usage(
        model_used=model,
        input_tokens=None if given is None else max(0, given - (read or 0) - (written or 0)),
        output_tokens=None if output is None else max(0, output - (reasoning or 0)),
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


def _status(entry: Entry) -> int | None:
    return count(entry.attributes, "http.response.status_code")


def _attempt(entry: Entry) -> int | None:
    return count(entry.attributes, "attempt")


def _version(entry: Entry) -> str:
    return word(entry.attributes, "app.version") or word(entry.resource, "service.version") or ""
