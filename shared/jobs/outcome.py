"""How one attempt at a job ended, and the one statement that writes it down: fenced, so that it is written once."""

from __future__ import annotations

import traceback
from typing import Any, Final, Literal

from msgspec import Raw, Struct

from shared.jobs.jsonb import document, plain

State = Literal["available", "scheduled", "executing", "retryable", "completed", "discarded", "cancelled"]

MESSAGE_CHARACTERS_MAX: Final = 4_000
TRACEBACK_CHARACTERS_MAX: Final = 16_000
DELAY_SECONDS_MAX: Final = 10 * 366 * 86_400.0

# The array keeps this an index scan also where hash joins are allowed; see line.py.
FINISH: Final = """
    UPDATE oban_jobs j
       SET state = f.state, attempt = j.attempt - coalesce(f.refund, 0), result = f.result,
           errors = CASE WHEN f.error IS NULL THEN j.errors
                         ELSE array_append(j.errors, f.error || jsonb_build_object('at', clock_timestamp())) END,
           meta = CASE WHEN f.progress IS NULL THEN j.meta
                       ELSE j.meta || jsonb_build_object('progress', f.progress) END,
           scheduled_at = CASE WHEN f.delay_seconds IS NULL THEN j.scheduled_at
                               ELSE clock_timestamp() + make_interval(secs => f.delay_seconds) END,
           completed_at = CASE f.state WHEN 'completed' THEN clock_timestamp() END,
           discarded_at = CASE f.state WHEN 'discarded' THEN clock_timestamp() END,
           cancelled_at = CASE f.state WHEN 'cancelled' THEN clock_timestamp() END
      FROM finishing f
     WHERE j.id = ANY(ARRAY(SELECT id FROM finishing)) AND j.id = f.id AND j.attempt = f.attempt
       AND j.state = 'executing' AND j.attempted_by[2] = %(boot)s::text
    RETURNING j.id
"""
FINISHING: Final = """
    SELECT * FROM jsonb_to_recordset(%(finished)s::jsonb)
        AS f(id bigint, attempt integer, state oban_job_state, refund integer, result jsonb, error jsonb,
             progress jsonb, delay_seconds float8)
"""


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What becomes of a job; `refund` is 1 when the attempt shall not count."""

    id: int
    attempt: int
    state: State
    refund: int = 0
    result: Raw | None = None
    error: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    delay_seconds: float | None = None


def failure(attempt: int, error: BaseException) -> dict[str, Any]:
    """An entry of the column `errors`: everything there is to know about a failed attempt."""
    told = "".join(traceback.format_exception(error))
    return _entry(attempt, type(error).__name__, str(error), told)


def remark(attempt: int, what: str, why: str) -> dict[str, Any]:
    """An entry of `errors` about something that was no exception."""
    return _entry(attempt, what, why, None)


def delay(seconds: float) -> float:
    """What a handler or a backoff asked for, as far as it makes sense."""
    return min(max(0.0, seconds), DELAY_SECONDS_MAX)


def result(value: Any) -> Raw | None:
    """The result of a job as it is kept; None is not."""
    return None if value is None else Raw(document(value).encode())


def _entry(attempt: int, kind: str, message: str, told: str | None) -> dict[str, Any]:
    entry = {"attempt": attempt, "type": kind, "error": plain(message, MESSAGE_CHARACTERS_MAX)}
    return entry if told is None else entry | {"traceback": plain(told, TRACEBACK_CHARACTERS_MAX)}
