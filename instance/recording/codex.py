"""Rollouts of Codex: `sessions/YYYY/MM/DD/rollout-<time>-<session>.jsonl`.

`token_count` tells what the session took in all: the difference to the one before is a request, and a repeated line
adds nothing. Cached and written input are part of input, reasoning is part of output. A fork, a subagent's too, begins
with a copy of its parent's lines: they count in the parent's file alone, and are told by turn ids older than the fork.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO, Final

import msgspec
from msgspec import Raw, Struct

from instance.learning.prices import Tokens
from instance.recording.commits import Commits
from instance.recording.reading import Count, Origin, decoded
from instance.recording.turns import Request, Turn
from instance.recording.words import clean, named
from instance.store.results import JobResult

SOURCE: Final = "codex"
TURN, SUBAGENT = "agent.turn", "agent.subagent"

_TIME_ORDERED: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_PATCHED: Final = re.compile(r"\*\*\* (?:Add|Update|Delete) File: ([^\n\\\"]+)")
_STANDARD: Final = frozenset({None, "", "auto", "default"})
_CALLS: Final = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_OUTPUTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})


class _Totals(Struct):
    input_tokens: Count = 0
    cached_input_tokens: Count = 0
    cache_write_input_tokens: Count = 0
    output_tokens: Count = 0
    reasoning_output_tokens: Count = 0

    def since(self, before: _Totals) -> Tokens:
        """What was taken since; everything when the count began anew."""
        steps = [now - then for now, then in zip(self._kinds(), before._kinds(), strict=True)]
        if min(steps) < 0:
            steps = list(self._kinds())
        given, read, written, output, reasoning = steps
        return Tokens(
            input=max(0, given - read - written),
            output=max(0, output - reasoning),
            cache_read=read,
            cache_write=written,
            reasoning=reasoning,
        )

    def _kinds(self) -> tuple[int, ...]:
        return (
            self.input_tokens,
            self.cached_input_tokens,
            self.cache_write_input_tokens,
            self.output_tokens,
            self.reasoning_output_tokens,
        )


class _Info(Struct):
    total_token_usage: _Totals | None = None


class _Git(Struct):
    branch: str | None = None
    commit_hash: str | None = None


class _Settings(Struct):
    service_tier: str | None = None


class _Payload(Struct):
    """All that is read of any payload; which of it there is depends on the type of the line."""

    type: str | None = None
    id: str | None = None
    cwd: str | None = None
    model: str | None = None
    cli_version: str | None = None
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    thread_source: str | None = None
    source: Raw = Raw(b"null")
    git: _Git | None = None
    turn_id: str | None = None
    info: _Info | None = None
    thread_settings: _Settings | None = None
    call_id: str | None = None
    arguments: Raw = Raw(b"")
    input: Raw = Raw(b"")
    output: Raw = Raw(b"")


class _Line(Struct):
    type: str = ""
    timestamp: datetime | None = None
    payload: Raw = Raw(b"{}")


_LINES: Final = msgspec.json.Decoder(_Line)
_PAYLOADS: Final = msgspec.json.Decoder(_Payload)


def read(file: BinaryIO, origin: Origin) -> Iterator[JobResult]:
    """Yield the turns of one rollout that are over."""
    session = _Session(origin)
    for number, line in decoded(file, _LINES, origin.faults):
        if line.timestamp is None or line.type not in ("session_meta", "turn_context", "event_msg", "response_item"):
            continue
        try:
            payload = _PAYLOADS.decode(line.payload)
        except msgspec.DecodeError as error:
            origin.faults.note(number, error)
            continue
        yield from session.hear(line.type, line.timestamp, payload)
    yield from session.end()


class _Session:
    """One rollout while it is read."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._turn: Turn | None = None
        self._meta: _Payload | None = None
        self._is_fork = False
        self._turn_id = ""
        self._turns = 0
        self._requests = 0
        self._ended = False
        self._directory = ""
        self._model = ""
        self._listed = True
        self._totals = _Totals()
        self._commits = Commits()

    def hear(self, kind: str, at: datetime, payload: _Payload) -> Iterator[JobResult]:
        """Take a line; yields the turn before if the line begins another."""
        if kind == "session_meta":
            self._introduce(payload)
        elif self._begins_turn(kind, at, payload):
            yield from self._close()
            self._open(at, payload)
        if self._turn is not None:
            self._turn.heard = max(self._turn.heard, at)
        if kind == "turn_context":
            self._model, self._directory = payload.model or self._model, payload.cwd or self._directory
        elif kind == "event_msg":
            self._take_event(at, payload)
        elif kind == "response_item" and self._turn is not None:
            self._take_item(self._turn, payload)

    def end(self) -> Iterator[JobResult]:
        """Yield the last turn if nothing more will be written of it."""
        if self._turn is not None and (self._ended or self._turn.is_over(self._origin.now)):
            yield from self._close()

    def _introduce(self, meta: _Payload) -> None:
        """Only the first line of this kind speaks of this file; others came with what was copied."""
        if self._meta is None:
            self._meta, self._directory = meta, meta.cwd or ""
            self._is_fork = bool(
                meta.forked_from_id or meta.parent_thread_id or b"parent_thread_id" in bytes(meta.source)
            )
        self._is_fork |= meta.id != self._meta.id

    def _begins_turn(self, kind: str, at: datetime, payload: _Payload) -> bool:
        """A turn with an id begins where that is first said, one of an older client where somebody asks."""
        if payload.turn_id and kind in ("event_msg", "turn_context"):
            return payload.turn_id != self._turn_id
        asked = kind == "event_msg" and payload.type == "user_message"
        return (asked and not self._turn_id) or (self._turn is not None and self._turn.is_over(at))

    def _open(self, at: datetime, payload: _Payload) -> None:
        if not self._turn_id or payload.turn_id not in (None, self._turn_id):
            self._requests = 0  # what goes on after an hour of silence has the id of before
        self._turn_id = payload.turn_id or self._turn_id
        self._turns += 1
        self._ended = False
        self._turn = Turn(began=at, heard=at, context=self._context())

    def _take_event(self, at: datetime, payload: _Payload) -> None:
        if payload.thread_settings is not None:
            self._listed = payload.thread_settings.service_tier in _STANDARD
        if payload.info is not None and payload.info.total_token_usage is not None:
            self._take_totals(at, payload.info.total_token_usage)
        if payload.type in ("task_complete", "turn_aborted"):
            self._ended = True

    def _take_totals(self, at: datetime, totals: _Totals) -> None:
        tokens, self._totals = totals.since(self._totals), totals
        if self._turn is None or not any(tokens):
            return
        self._turn.answered = at
        name = self._turn_id or f"{clean(self._session_id)}:{self._turns}"
        self._requests += 1
        self._turn.take(f"{name}:{self._requests}", Request(clean(self._model) or "unknown", at, tokens, self._listed))

    def _take_item(self, turn: Turn, payload: _Payload) -> None:
        if payload.type in _CALLS:
            turn.tool_calls += 1
            given = bytes(payload.arguments or payload.input).decode(errors="replace")
            self._commits.asked(payload.call_id or "", given)
            for path in _PATCHED.findall(given.replace("\\n", "\n")):
                turn.changed(path)
        elif payload.type in _OUTPUTS:
            said = bytes(payload.output).decode(errors="replace").replace("\\n", "\n").replace('"', "\n")
            turn.commits += self._commits.said(payload.call_id or "", said)

    def _close(self) -> Iterator[JobResult]:
        turn, self._turn = self._turn, None
        if turn is None or not self._is_own() or not self._origin.wants(self._directory):
            return
        kind = SUBAGENT if self._meta is not None and _is_subagent(self._meta) else TURN
        yield from turn.results(SOURCE, kind, self._origin.prices)

    def _is_own(self) -> bool:
        """Tell a turn of this file from one copied into it: ids of either kind grow with time."""
        if not self._is_fork:
            return True
        return _TIME_ORDERED.fullmatch(self._turn_id) is not None and self._turn_id > self._session_id

    @property
    def _session_id(self) -> str:
        return (self._meta.id if self._meta is not None else None) or ""

    def _context(self) -> dict[str, str]:
        meta = self._meta or _Payload()
        git = meta.git or _Git()
        client = f"{SOURCE} {meta.cli_version or ''}".rstrip()
        return named(session=meta.id, branch=git.branch, base=git.commit_hash, client=client)


def _is_subagent(meta: _Payload) -> bool:
    return meta.thread_source == "subagent" or b"subagent" in bytes(meta.source)
