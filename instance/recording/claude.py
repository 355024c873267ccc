"""Transcripts of Claude Code: `projects/<directory>/<session>.jsonl`, and `subagents/agent-<id>.jsonl` below it.

Every block of an answer is a line of its own and repeats the usage of its request, the early ones with too few output
tokens; a session that is resumed copies lines of the one before. So a request is what has one id, its usage the
largest told of each kind, and the id of a turn's first request is what the turn is called. A failed tool is no failed
turn.
"""

from __future__ import annotations

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

SOURCE: Final = "claude-code"
TURN, SUBAGENT = "agent.turn", "agent.subagent"

_NO_MODEL: Final = "<synthetic>"
_CHANGING: Final = frozenset({"Edit", "MultiEdit", "Write", "NotebookEdit"})
_STANDARD: Final = frozenset({None, "", "standard"})


class _CacheWrites(Struct):
    ephemeral_1h_input_tokens: Count | None = None


class _Usage(Struct):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: _CacheWrites | None = None
    service_tier: str | None = None
    speed: str | None = None

    def tokens(self) -> Tokens:
        written = self.cache_creation_input_tokens or 0
        kept_long = min(written, (self.cache_creation and self.cache_creation.ephemeral_1h_input_tokens) or 0)
        return Tokens(
            input=self.input_tokens or 0,
            output=self.output_tokens or 0,
            cache_read=self.cache_read_input_tokens or 0,
            cache_write=written - kept_long,
            cache_write_long=kept_long,
        )


class _Text(Struct):
    text: str = ""


class _Block(Struct):
    type: str = ""
    id: str = ""
    name: str = ""
    tool_use_id: str = ""
    is_error: bool | None = None
    input: Raw = Raw(b"{}")
    content: str | list[_Text | str] | None = None


class _Call(Struct):
    """What of a tool's input says what it does."""

    command: str = ""
    file_path: str = ""
    notebook_path: str = ""


class _Message(Struct):
    id: str | None = None
    model: str | None = None
    content: str | list[_Block | str] = ""
    usage: _Usage | None = None

    @property
    def blocks(self) -> list[_Block]:
        return [] if isinstance(self.content, str) else [one for one in self.content if isinstance(one, _Block)]


class _Line(Struct, rename="camel"):
    type: str = ""
    timestamp: datetime | None = None
    session_id: str | None = None
    request_id: str | None = None
    agent_id: str | None = None
    version: str | None = None
    git_branch: str | None = None
    cwd: str | None = None
    is_sidechain: bool | None = None
    is_meta: bool | None = None
    is_compact_summary: bool | None = None
    message: Raw = Raw(b"{}")


_LINES: Final = msgspec.json.Decoder(_Line)
_MESSAGES: Final = msgspec.json.Decoder(_Message)
_CALLS: Final = msgspec.json.Decoder(_Call)


def read(file: BinaryIO, origin: Origin) -> Iterator[JobResult]:
    """Yield the turns of one transcript that are over."""
    chains: dict[str, _Chain] = {}
    for number, line in decoded(file, _LINES, origin.faults):
        if line.type not in ("user", "assistant") or line.timestamp is None:
            continue
        try:
            message = _MESSAGES.decode(line.message)
        except msgspec.DecodeError as error:
            origin.faults.note(number, error)
            continue
        name = line.agent_id or ("sidechain" if line.is_sidechain else "")
        chain = chains.setdefault(name, _Chain(origin, SUBAGENT if name else TURN))
        yield from chain.hear(line, line.timestamp, message)
    for chain in chains.values():
        if chain.turn and chain.turn.is_over(origin.now):
            yield from chain.close()


class _Chain:
    """One conversation of a file: the main one, or that of a subagent."""

    def __init__(self, origin: Origin, job_type: str) -> None:
        self.turn: Turn | None = None
        self._origin = origin
        self._job_type = job_type
        self._commits = Commits()

    def hear(self, line: _Line, at: datetime, message: _Message) -> Iterator[JobResult]:
        """Take a line; yields the turn before if the line begins another."""
        if self.turn is None or self.turn.is_over(at) or _is_question(line, message):
            yield from self.close()
            self.turn = Turn(began=at, heard=at, context=self._context(line), directory=line.cwd or "")
        self.turn.heard = max(self.turn.heard, at)
        for block in message.blocks:
            self._take_block(self.turn, block)
        if line.type == "assistant":
            self._take_answer(self.turn, line, at, message)

    def close(self) -> Iterator[JobResult]:
        """Yield what the present turn came to."""
        turn, self.turn = self.turn, None
        if turn is not None and self._origin.wants(turn.directory):
            yield from turn.results(SOURCE, self._job_type, self._origin.prices)

    def _context(self, line: _Line) -> dict[str, str]:
        client = f"{SOURCE} {line.version or ''}".rstrip()
        return named(session=line.session_id, branch=line.git_branch, client=client)

    def _take_answer(self, turn: Turn, line: _Line, at: datetime, message: _Message) -> None:
        usage, identity = message.usage, ":".join(filter(None, (message.id, line.request_id)))
        if usage is None or not identity or message.model in (None, _NO_MODEL):
            return
        turn.answered = at
        listed = usage.service_tier in _STANDARD and usage.speed in _STANDARD
        turn.take(clean(identity), Request(clean(message.model), at, usage.tokens(), listed))

    def _take_block(self, turn: Turn, block: _Block) -> None:
        if block.type == "tool_use":
            turn.tool_calls += 1
            self._take_call(turn, block)
        elif block.type == "tool_result":
            turn.tool_errors += bool(block.is_error)
            turn.commits += self._commits.said(block.tool_use_id, _text(block.content))

    def _take_call(self, turn: Turn, block: _Block) -> None:
        if block.name != "Bash" and block.name not in _CHANGING:
            return
        try:
            call = _CALLS.decode(block.input)
        except msgspec.DecodeError:
            return  # a tool of that name with another input
        self._commits.asked(block.id, call.command)
        if block.name in _CHANGING:
            turn.changed(call.file_path or call.notebook_path)


def _is_question(line: _Line, message: _Message) -> bool:
    """Tell a question of a person from what tools, hooks and the client itself say in the same place."""
    said_by_tool = any(block.type == "tool_result" for block in message.blocks)
    return line.type == "user" and not (line.is_meta or line.is_compact_summary or said_by_tool)


def _text(content: str | list[_Text | str] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part if isinstance(part, str) else part.text for part in content)
