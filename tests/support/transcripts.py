"""Transcripts as Claude Code and Codex write them, made line by line.

Field names and their nesting are those of Claude Code 1.0 (subagents in the file of their session) and 2.0 (in files of
their own, cache writes told by how long they are kept), and of Codex 0.40 (turns without ids) and 0.145 (turns with
ids, forks that begin with a copy of their parent). They were written after what is publicly known of these formats, not
recorded from a client. Texts are invented; `SECRET` stands where a person's or a model's words would.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SECRET = "the words of a person: rotate the key hunter2"
OPUS = "claude-opus-4-5-20251101"
START = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def stamp(seconds: float) -> str:
    return at(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Claude:
    """One file of Claude Code."""

    def __init__(self, session: str = "5e551011-aaaa", version: str = "2.0.14", **fields: Any) -> None:
        self.lines: list[dict[str, Any]] = []
        self._fields = {
            "sessionId": session, "version": version, "cwd": "/home/ann/api", "gitBranch": "main",
            "userType": "external", "isSidechain": False, "parentUuid": None,
        } | fields  # fmt: skip

    def ask(self, seconds: float, **fields: Any) -> Claude:
        return self._add("user", seconds, {"role": "user", "content": SECRET}, **fields)

    def answer(
        self,
        seconds: float,
        request: int,
        *blocks: dict[str, Any],
        model: str = "claude-opus-4-5-20251101",
        **usage: Any,
    ) -> Claude:
        told = {
            "input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 100,
            "service_tier": "standard",
        } | usage  # fmt: skip
        message = {
            "id": f"msg_{request:03}", "type": "message", "role": "assistant", "model": model, "stop_reason": None,
            "content": list(blocks) or [{"type": "text", "text": SECRET}], "usage": told,
        }  # fmt: skip
        return self._add("assistant", seconds, message, requestId=f"req_{request:03}")

    def result(self, seconds: float, call: str, text: str = SECRET, *, is_error: bool = False) -> Claude:
        block = {"type": "tool_result", "tool_use_id": call, "content": text, "is_error": is_error}
        return self._add("user", seconds, {"role": "user", "content": [block]}, toolUseResult={"stdout": text})

    def other(self, **line: Any) -> Claude:
        self.lines.append(line)
        return self

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in self.lines))
        return path

    def _add(self, kind: str, seconds: float, message: dict[str, Any], **fields: Any) -> Claude:
        told = {"type": kind, "uuid": f"u{len(self.lines)}", "timestamp": stamp(seconds), "message": message}
        self.lines.append(self._fields | told | fields)
        return self


def tool(name: str, call: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call, "name": name, "input": given}


SESSION = "019fa149-0000-7000-8000-000000000001"
FORK = "019fa149-9000-7000-8000-000000000002"


def turn_id(number: int) -> str:
    """An id that grows with time, as version 7 UUIDs do; those from 900 on are younger than `FORK`."""
    return f"019fa149-{number * 10:04d}-7000-8000-0000000000ff"


class Codex:
    """One rollout of Codex."""

    def __init__(self, session: str = SESSION, version: str = "0.145.0", **meta: Any) -> None:
        self.lines: list[dict[str, Any]] = []
        git = {"commit_hash": "c0ffee" * 6 + "0000", "branch": "main", "repository_url": "git@example.com:ann/api.git"}
        self.meta(session, cli_version=version, git=git, **meta)

    def meta(self, session: str, **fields: Any) -> Codex:
        told = {"id": session, "timestamp": stamp(0), "cwd": "/home/ann/api", "originator": "codex_cli_rs",
                "instructions": SECRET, "source": "cli"}  # fmt: skip
        return self.line(0, "session_meta", told | fields)

    def turn(self, seconds: float, turn: str | None, model: str = "gpt-5.2-codex") -> Codex:
        named = {"turn_id": turn} if turn else {}
        if turn:
            self.event(seconds, "task_started", model_context_window=258_400, **named)
        context = {"cwd": "/home/ann/api", "approval_policy": "on-request", "model": model, "summary": "auto"}
        self.line(seconds, "turn_context", context | named)
        return self.event(seconds, "user_message", message=SECRET, images=[])

    def total(
        self, seconds: float, given: int, cached: int, output: int, reasoning: int = 0, *, written: int | None = None
    ) -> Codex:
        total = {"input_tokens": given, "cached_input_tokens": cached, "output_tokens": output,
                 "reasoning_output_tokens": reasoning, "total_tokens": given + output}  # fmt: skip
        if written is not None:
            total["cache_write_input_tokens"] = written
        info = {"total_token_usage": total, "last_token_usage": total, "model_context_window": 258_400}
        return self.event(seconds, "token_count", info=info, rate_limits=None)

    def event(self, seconds: float, kind: str, **fields: Any) -> Codex:
        return self.line(seconds, "event_msg", {"type": kind} | fields)

    def item(self, seconds: float, kind: str, **fields: Any) -> Codex:
        return self.line(seconds, "response_item", {"type": kind} | fields)

    def line(self, seconds: float, kind: str, payload: dict[str, Any]) -> Codex:
        self.lines.append({"timestamp": stamp(seconds), "type": kind, "payload": payload})
        return self

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in self.lines))
        return path
