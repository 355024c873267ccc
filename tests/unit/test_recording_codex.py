from __future__ import annotations

import io
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec

from instance.learning.prices import prices
from instance.recording import codex
from instance.recording.reading import Faults, Origin
from instance.store.results import JobResult
from tests.support.transcripts import FORK, SECRET, SESSION, Codex, at, turn_id

HOUR = 3600
LATE = Origin(at(100 * HOUR), prices())


def read(rollout: Codex, origin: Origin = LATE) -> list[JobResult]:
    content = "".join(json.dumps(line) + "\n" for line in rollout.lines)
    return list(codex.read(io.BytesIO(content.encode()), origin))


def two_turns() -> Codex:
    """Totals grow over the session, are told again, and cached input is part of input."""
    patch = "*** Begin Patch\n*** Update File: src/billing.rs\n+x\n*** End Patch"
    return (
        Codex()
        .turn(0, turn_id(1))
        .event(1, "token_count", info=None, rate_limits={})
        .item(2, "custom_tool_call", name="apply_patch", call_id="c1", input=patch)
        .total(3, 10_000, 6_000, 300, 100)
        .total(4, 10_000, 6_000, 300, 100)
        .item(5, "function_call", name="shell", call_id="c2", arguments=json.dumps({"command": ["git", "commit"]}))
        .item(6, "function_call_output", call_id="c2", output=json.dumps({"output": "[main 9f8e7d6] x\n 1 file"}))
        .total(8, 22_000, 15_000, 500, 150)
        .event(9, "task_complete", turn_id=turn_id(1), last_agent_message=SECRET)
        .turn(60, turn_id(2), model="gpt-5-mini")
        .total(70, 23_000, 15_500, 600, 150)
    )


def test_a_turn_is_the_difference_of_totals_and_no_kind_of_tokens_contains_another() -> None:
    first, second = read(two_turns())
    assert (first.input_tokens, first.cache_read_tokens, first.cache_write_tokens) == (7_000, 15_000, 0)
    assert (first.output_tokens, first.reasoning_tokens) == (350, 150)
    assert (first.external_id, first.job_type, first.status) == (f"{turn_id(1)}:1", "agent.turn", "unlabelled")
    assert (first.started_at, first.completed_at, first.duration_ms) == (at(0), at(8), 8_000)
    assert first.cost_cents == Decimal("2.1875")  # 7000 of 175, 15000 of 17.5, 500 of 1400 cents a million
    assert first.insights == {"requests": 2, "tool_calls": 2}
    assert (second.model_used, second.input_tokens, second.cache_read_tokens) == ("gpt-5-mini", 500, 500)
    assert (second.output_tokens, second.reasoning_tokens) == (100, 0)


def test_what_stays_here_tells_where_it_was_and_what_it_made() -> None:
    assert read(two_turns())[0].context == {
        "session": SESSION, "branch": "main", "base": "c0ffee" * 6 + "0000", "client": "codex 0.145.0",
        "language": "rust", "commit": "9f8e7d6",
    }  # fmt: skip


def test_no_word_of_a_person_or_a_model_is_taken() -> None:
    taken = msgspec.json.encode(read(two_turns())).decode()
    assert "hunter2" not in taken
    assert "billing" not in taken
    assert "/home" not in taken


def test_a_finished_turn_is_given_at_once_and_another_once_it_is_quiet() -> None:
    early = replace(LATE, now=at(71))
    assert [one.external_id for one in read(two_turns(), early)] == [f"{turn_id(1)}:1"]
    finished = two_turns().event(71, "task_complete", turn_id=turn_id(2))
    assert len(read(finished, early)) == 2


def test_clients_whose_turns_have_no_ids_are_read_by_who_asks() -> None:
    old = Codex(version="0.40.0").turn(0, None).total(3, 100, 50, 10).turn(60, None).total(63, 300, 150, 30)
    assert [(one.external_id, one.input_tokens) for one in read(old)] == [
        (f"{SESSION}:1:1", 50),
        (f"{SESSION}:2:1", 100),
    ]


def test_something_asked_in_between_does_not_end_a_turn_that_has_an_id() -> None:
    steered = Codex().turn(0, turn_id(1)).total(3, 100, 50, 10).event(4, "user_message", message=SECRET)
    steered.total(5, 200, 100, 20)
    assert [(one.input_tokens, one.insights["requests"]) for one in read(steered)] == [(100, 2)]


def test_totals_that_begin_anew_are_taken_as_they_are() -> None:
    compacted = Codex().turn(0, turn_id(1)).total(3, 1000, 0, 10).total(4, 200, 0, 5)
    assert [(one.input_tokens, one.output_tokens) for one in read(compacted)] == [(1200, 15)]


def test_what_was_written_to_the_cache_is_part_of_input_too() -> None:
    (result,) = read(Codex().turn(0, turn_id(1), model="gpt-5.6-terra").total(3, 1000, 300, 0, written=200))
    assert (result.input_tokens, result.cache_read_tokens, result.cache_write_tokens) == (500, 300, 200)
    assert result.cost_cents == Decimal("0.195")  # before its price fell: 500 of 250, 300 of 25, 200 of 312.5 cents


def test_a_fork_counts_only_what_was_done_in_it() -> None:
    parent = two_turns()
    fork = Codex(session=FORK, forked_from_id=SESSION)
    fork.lines += parent.lines
    fork.turn(100, turn_id(950)).total(101, 24_000, 16_000, 650, 150)
    (own,) = read(fork)
    assert (own.external_id, own.input_tokens, own.cache_read_tokens) == (f"{turn_id(950)}:1", 500, 500)
    old = Codex(session=FORK, version="0.40.0")
    old.meta(SESSION).turn(0, None).total(3, 100, 50, 10)
    assert read(old) == [], "nobody knows which of it was done there"


def test_a_subagent_is_a_job_of_its_own() -> None:
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": SESSION, "depth": 1}}}
    child = Codex(session=FORK, source=spawned).meta(SESSION).turn(100, turn_id(950)).total(101, 500, 0, 20)
    assert [(one.job_type, one.input_tokens) for one in read(child)] == [("agent.subagent", 500)]


def test_another_tier_than_the_list_is_for_has_no_cost() -> None:
    fast = Codex().event(0, "thread_settings_applied", thread_settings={"service_tier": "priority", "model": "gpt-5.2"})
    assert [one.cost_cents for one in read(fast.turn(1, turn_id(1)).total(2, 100, 0, 10))] == [None]


def test_only_what_was_done_in_the_workspace_if_that_is_asked_for() -> None:
    assert len(read(two_turns(), replace(LATE, within=(Path("/home/ann"),)))) == 2
    assert read(two_turns(), replace(LATE, within=(Path("/home/bob"),))) == []


def test_a_line_that_is_broken_is_named_and_the_others_are_read() -> None:
    rollout, faults = two_turns(), Faults()
    rollout.line(80, "event_msg", {"type": "token_count", "info": {"total_token_usage": {"input_tokens": -4}}})
    assert len(read(rollout, replace(LATE, faults=faults))) == 2
    assert [name.partition(":")[0] for name in faults.named] == [f"line {len(rollout.lines)}"]
