"""Spans after OpenTelemetry's conventions for generative AI, by the names they had in any version.

Input tokens hold those of the cache and output tokens those of reasoning, as the conventions say; where the parts are
more than the whole, an emitter counted them apart. Spans of agents and tools are no requests: they sum up others. Two
spans of one trace that name one response, a gateway's and a client's, tell of one request.
"""

from __future__ import annotations

from typing import Final

from instance.otlp.entries import Attributes, Entry, count, fingerprint, milliseconds, moment, word
from instance.otlp.requests import Request
from instance.recording.words import named
from instance.store.results import RESPONSE, Usage
from shared.errors import ContractError

EMITTER: Final = "genai"

_REQUESTS: Final = frozenset(
    {"chat", "completion", "text_completion", "generate_content", "embeddings", "embedding", None}
)
_MODEL: Final = ("gen_ai.response.model", "gen_ai.request.model")
_PROVIDER: Final = ("gen_ai.provider.name", "gen_ai.system")
_INPUT: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
_OUTPUT: Final = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
_CACHE_READ: Final = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cache_read_tokens",
)
_CACHE_WRITE: Final = (
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_tokens",
)
_REASONING: Final = ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens")


def read(entry: Entry) -> Request | None:
    """Read a span; None when it is no request to a model. `ContractError` when what it tells makes no sense."""
    told = entry.attributes
    if not any(name in told for name in _MODEL) or told.get("gen_ai.operation.name") not in _REQUESTS:
        return None
    if not (entry.trace_id and entry.span_id):
        raise ContractError("a span has no id, so that a resend could not be told from another request")
    response = word(told, "gen_ai.response.id")
    return Request(
        emitter=EMITTER,
        identity=f"{entry.trace_id}.{fingerprint(response) if response else entry.span_id}",
        usage=_usage(told),
        ended=moment(entry.ended_ns),
        duration_ms=milliseconds(entry.began_ns, entry.ended_ns),
        failed=entry.failed or bool(told.get("error.type")),
        context=named(
            session=word(told, "gen_ai.conversation.id"),
            provider=word(told, *_PROVIDER),
            **{RESPONSE: response and fingerprint(response)},
        ),
    )


def _usage(told: Attributes) -> Usage:
    model = word(told, _MODEL[0]) or word(told, _MODEL[1])
    if model is None:
        raise ContractError("the model's name is none")
    read, written, reasoning = count(told, *_CACHE_READ), count(told, *_CACHE_WRITE), count(told, *_REASONING)
    return Usage(
        model_used=model,
        input_tokens=_without(count(told, *_INPUT), (read or 0) + (written or 0)),
        output_tokens=_without(count(told, *_OUTPUT), reasoning or 0),
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


def _without(whole: int | None, part: int) -> int | None:
    return whole - part if whole is not None and whole >= part else whole
