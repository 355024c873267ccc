"""Tells an instance of every request that goes through LiteLLM; it needs nothing but msgspec and the standard library.

In a program: `litellm.callbacks = [FlockloreLogger()]`. In front of a fleet: a module beside the proxy's configuration
that says `flocklore = FlockloreLogger()`, named as `callbacks: module.flocklore`.

A request is never delayed and never fails because of it: what is told waits in a queue, a thread sends it, and what
finds the queue full is dropped and counted. What the instance does not take at once is sent again, and counted once.
"""

from __future__ import annotations

import atexit
import importlib
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

import msgspec

ENDPOINT: Final = "http://127.0.0.1:4318/ingest"
QUEUED_MAX: Final = 10_000
BATCH_MAX: Final = 200
TIMEOUT_SECONDS: Final = 10.0
RETRY_SECONDS_MAX: Final = 60.0
FAREWELL_SECONDS: Final = 2.0

_JOB_TYPE: Final = "llm.request"
_NAME_MAX: Final = 200
_REFUSED: Final = frozenset(range(400, 501)) - {408, 429}
"""What an instance will never take; anything else is sent again."""


def _custom_logger() -> Any:
    """LiteLLM's own class where there is LiteLLM: some of its versions call only what is derived from it."""
    try:
        return importlib.import_module("litellm.integrations.custom_logger").CustomLogger
    except ImportError:
        return object


class FlockloreLogger(_custom_logger()):  # type: ignore[misc]
    """A callback of LiteLLM. Reads numbers, ids and names of models; never a message."""

    def __init__(self, endpoint: str = ENDPOINT, *, queued_max: int = QUEUED_MAX) -> None:
        super().__init__()
        self.dropped = 0
        """How many requests the instance was not told of."""
        self._post = _Post(endpoint)
        self._queue: deque[bytes] = deque()
        self._queued_max = queued_max
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    async def async_log_success_event(self, kwargs: Any, *_: Any, **__: Any) -> None:
        """Hear of a request that was answered."""
        self._tell(kwargs)

    async def async_log_failure_event(self, kwargs: Any, *_: Any, **__: Any) -> None:
        """Hear of a request that failed."""
        self._tell(kwargs)

    def log_success_event(self, kwargs: Any, *_: Any, **__: Any) -> None:
        """Hear of a request that was answered."""
        self._tell(kwargs)

    def log_failure_event(self, kwargs: Any, *_: Any, **__: Any) -> None:
        """Hear of a request that failed."""
        self._tell(kwargs)

    def close(self, timeout_seconds: float = FAREWELL_SECONDS) -> None:
        """Send what is left as far as time allows; what then remains is counted as dropped."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_seconds)
        with self._changed:
            self.dropped += len(self._queue)
            self._queue.clear()

    def _tell(self, kwargs: Any) -> None:
        try:
            line = _line(kwargs["standard_logging_object"])
        except Exception:  # noqa: BLE001 - whatever LiteLLM hands over, a request must not fail because of it
            self.dropped += 1
            return
        if line is not None:
            self._put(line)

    def _put(self, line: bytes) -> None:
        with self._changed:
            if self._closing or len(self._queue) >= self._queued_max:
                self.dropped += 1
                return
            self._queue.append(line)
            if self._thread is None or not self._thread.is_alive():  # no thread survives a fork
                self._thread = threading.Thread(target=self._send, name="flocklore", daemon=True)
                self._thread.start()
                atexit.register(self.close)
            self._changed.notify_all()

    def _send(self) -> None:
        wait_seconds = 1.0
        while batch := self._next():
            if self._post.lines(batch):
                wait_seconds = 1.0
                self._taken(len(batch))
            else:
                with self._changed:
                    if self._changed.wait_for(lambda: self._closing, wait_seconds):
                        return
                wait_seconds = min(2 * wait_seconds, RETRY_SECONDS_MAX)

    def _next(self) -> list[bytes]:
        """Wait for lines; none when it is closing and everything is sent."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            return [self._queue[place] for place in range(min(len(self._queue), BATCH_MAX))]

    def _taken(self, count: int) -> None:
        with self._changed:
            for _ in range(min(count, len(self._queue))):
                self._queue.popleft()
            self.dropped += self._post.refused
            self._post.refused = 0


class _Post:
    """Posts lines to the instance."""

    def __init__(self, endpoint: str) -> None:
        if not endpoint.startswith(("http://", "https://")):
            raise ValueError(f"{endpoint} is no address; it looks like {ENDPOINT}")
        self.refused = 0
        self._endpoint = endpoint
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this machine

    def lines(self, many: list[bytes]) -> bool:
        """Tell whether they were dealt with; what will never be taken is counted as refused."""
        request = urllib.request.Request(  # noqa: S310 - the constructor has looked at it
            self._endpoint, b"\n".join(many), {"Content-Type": "application/x-ndjson"}
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                self.refused += len(many) - msgspec.json.decode(answer.read())["results"]
        except urllib.error.HTTPError as error:
            if error.code not in _REFUSED:
                return False
            self.refused += len(many)
        except Exception:  # noqa: BLE001 - a thread that dies would tell nobody anything ever again
            return False
        return True


def _line(told: Mapping[str, Any]) -> bytes | None:
    """Say what a `StandardLoggingPayload` says as a row; None of an answer LiteLLM had kept and asked nobody for.

    Its id is the provider's of the answer, else LiteLLM's of the request, as in the spans of both: by it they are known
    to tell of the same request. A digest of it is enough for that.
    """
    if told.get("cache_hit"):
        return None
    usage = (told.get("metadata") or {}).get("usage_object") or {}
    began, ended = float(told["startTime"]), float(told["endTime"])
    failed = told.get("status") == "failure"
    known = {
        "provider": _name(told.get("custom_llm_provider")),
        "session": _name(told.get("session_id")),
        "response": blake2b(str(told["id"]).encode("utf-8", "replace"), digest_size=16).hexdigest(),
    }
    row = {
        "job_type": _JOB_TYPE,
        "status": "failed" if failed else "unlabelled",
        "external_id": _name(f"litellm:{told['id']}:{began!r}"),
        "model_used": _name(told.get("model")),
        "cost_cents": None if failed else _cents(told.get("response_cost")),
        "duration_ms": max(0, round(1000 * (ended - began))),
        "started_at": datetime.fromtimestamp(began, UTC),
        "completed_at": datetime.fromtimestamp(ended, UTC),
        "context": {name: word for name, word in known.items() if word},
        **({} if failed else _tokens(told, usage)),
    }
    return msgspec.json.encode(row)


def _tokens(told: Mapping[str, Any], usage: Mapping[str, Any]) -> dict[str, int]:
    """The kinds of tokens, none containing another: what is cached is part of the prompt, reasoning of the output."""
    given, output = int(told.get("prompt_tokens") or 0), int(told.get("completion_tokens") or 0)
    of_prompt = usage.get("prompt_tokens_details") or {}
    read = int(usage.get("cache_read_input_tokens") or of_prompt.get("cached_tokens") or 0)
    written = int(usage.get("cache_creation_input_tokens") or of_prompt.get("cache_creation_tokens") or 0)
    reasoning = int((usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0)
    return {
        "input_tokens": given - read - written if given >= read + written else given,
        "output_tokens": output - reasoning if output >= reasoning else output,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "reasoning_tokens": reasoning,
    }


def _cents(dollars: Any) -> str | None:
    """What it cost, to a millionth of a cent; LiteLLM says 0 also of models it knows no price of."""
    told = Decimal(str(dollars or 0))
    return str((told * 100).quantize(Decimal("0.000001"))) if told.is_finite() and told > 0 else None


def _name(text: Any) -> str | None:
    """A name as it may be kept; None when it is none."""
    kept = "".join(letter for letter in str(text or "") if letter.isprintable())[:_NAME_MAX]
    return kept or None
