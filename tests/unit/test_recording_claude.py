from __future__ import annotations

import io
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.prices import prices
from instance.recording import claude
from instance.recording.reading import Faults, Origin
from instance.store.results import JobResult
from tests.support.transcripts import SECRET, Claude, at, tool

HOUR = 3600
LATE = Origin(at(100 * HOUR), prices())


def read(transcript: Claude, origin: Origin = LATE) -> list[JobResult]:
    return read_bytes("".join(json.dumps(line) + "\n" for line in transcript.lines).encode(), origin)


def read_bytes(content: bytes, origin: Origin = LATE) -> list[JobResult]:
    return list(claude.read(io.BytesIO(content), origin))


def one_turn() -> Claude:
    """Two requests in five lines: usage is repeated, and too small while the answer is still being written."""
    usage: dict[str, Any] = {"input_tokens": 4, "cache_read_input_tokens": 20_000, "cache_creation_input_tokens": 1_000}
    edit = tool("Edit", "t1", file_path="/home/ann/api/billing.py", old_string=SECRET)
    return (
        Claude()
        .ask(0)
        .answer(2, 1, {"type": "thinking", "thinking": SECRET}, output_tokens=1, **usage)
        .answer(3, 1, {"type": "text", "text": SECRET}, output_tokens=1, **usage)
        .answer(4, 1, edit, output_tokens=250, **usage)
        .result(5, "t1", is_error=True)
        .answer(9, 2, tool("Bash", "t2", command="git commit -am 'x'"), input_tokens=6, output_tokens=50)
        .result(10, "t2", "[main 1a2b3c4d] fix\n 1 file changed")
        .answer(12, 3, input_tokens=6, output_tokens=50)
    )  # fmt: skip


def test_a_turn_is_one_result_that_counts_every_request_once() -> None:
    (result,) = read(one_turn())
    assert (result.source, result.external_id, result.job_type) == ("claude-code", "msg_001:req_001", "agent.turn")
    assert result.model_used == "claude-opus-4-5-20251101"
    assert (result.input_tokens, result.output_tokens) == (16, 350)
    assert (result.cache_read_tokens, result.cache_write_tokens, result.reasoning_tokens) == (20_000, 1_000, 0)
    assert (result.started_at, result.completed_at, result.duration_ms) == (at(0), at(12), 12_000)
    assert result.cost_cents == Decimal("2.508")  # 16 of 500, 350 of 2500, 20000 of 50, 1000 of 625 cents a million
    assert result.insights == {"requests": 3, "tool_calls": 2, "tool_errors": 1}


def test_a_failed_tool_is_no_failed_turn() -> None:
    assert [result.status for result in read(one_turn())] == ["unlabelled"]


def test_what_stays_here_tells_where_it_was_and_what_it_made() -> None:
    assert read(one_turn())[0].context == {
        "session": "5e551011-aaaa", "branch": "main", "client": "claude-code 2.0.14", "language": "python",
        "commit": "1a2b3c4d",
    }  # fmt: skip


def test_no_word_of_a_person_or_a_model_is_taken() -> None:
    taken = msgspec.json.encode(read(one_turn())).decode()
    assert SECRET not in taken
    assert "hunter2" not in taken
    assert "billing" not in taken
    assert "/home" not in taken


def test_every_question_begins_a_turn_and_what_clients_say_of_themselves_does_not() -> None:
    transcript = Claude().ask(0).answer(1, 1).ask(60, isMeta=True).answer(61, 2).ask(120).answer(121, 3)
    transcript.other(type="summary", summary=SECRET, leafUuid="x").other(type="file-history-snapshot", snapshot={})
    transcript.ask(130, isCompactSummary=True).answer(131, 4)
    assert [(one.external_id, one.insights["requests"]) for one in read(transcript)] == [
        ("msg_001:req_001", 2),
        ("msg_003:req_003", 2),
    ]


def test_a_turn_is_given_once_nothing_can_be_added_to_it() -> None:
    transcript = one_turn()
    assert read(transcript, replace(LATE, now=at(12 + HOUR - 1))) == []
    assert len(read(transcript, replace(LATE, now=at(12 + HOUR)))) == 1
    assert len(read(transcript.ask(500), replace(LATE, now=at(501)))) == 1


def test_reading_earlier_later_and_twice_gives_the_same_turns() -> None:
    transcript = one_turn().answer(12 + HOUR, 4).ask(3 * HOUR).answer(3 * HOUR + 1, 5)
    given: dict[str, JobResult] = {}
    for lines in range(len(transcript.lines) + 1):
        so_far = Claude()
        so_far.lines = transcript.lines[:lines]
        now = at(12 + 2 * HOUR) if lines == len(one_turn().lines) + 1 else at(0)
        for result in read(so_far, replace(LATE, now=now)):
            assert given.setdefault(result.external_id or "", result) == result
    for result in read(transcript):
        assert given.setdefault(result.external_id or "", result) == result
    assert list(given) == ["msg_001:req_001", "msg_004:req_004", "msg_005:req_005"]


def test_a_copy_in_a_resumed_session_is_the_same_turn() -> None:
    copied = Claude(session="another").other(type="summary", summary=SECRET)
    copied.lines += [line | {"sessionId": "another"} for line in one_turn().lines]
    copied.ask(900).answer(901, 9)
    assert [one.external_id for one in read(copied)] == ["msg_001:req_001", "msg_009:req_009"]


def test_subagents_are_jobs_of_their_own_in_files_of_either_kind() -> None:
    inside = Claude(version="1.0.98").ask(0).answer(1, 1)
    inside.ask(2, isSidechain=True).answer(3, 2, model="claude-haiku-4-5-20251001")
    inside.lines[-1]["isSidechain"] = True
    inside.answer(20, 3)
    found = {(one.job_type, one.model_used): one.insights["requests"] for one in read(inside)}
    assert found == {("agent.turn", "claude-opus-4-5-20251101"): 2, ("agent.subagent", "claude-haiku-4-5-20251001"): 1}
    apart = Claude(isSidechain=True, agentId="ad58932").ask(2).answer(3, 2, model="claude-haiku-4-5-20251001")
    assert [one.job_type for one in read(apart)] == ["agent.subagent"]


def test_models_of_one_turn_are_told_apart_and_nobody_knows_how_long_each_took() -> None:
    changed = Claude().ask(0).answer(1, 1).answer(2, 2, model="claude-haiku-4-5-20251001")
    assert [(one.model_used, one.external_id, one.duration_ms) for one in read(changed)] == [
        ("claude-opus-4-5-20251101", "msg_001:req_001", None),
        ("claude-haiku-4-5-20251001", "msg_002:req_002", None),
    ]


def test_what_is_not_billed_by_the_list_has_no_cost() -> None:
    for unusual in ({"speed": "fast"}, {"service_tier": "priority"}):
        (result,) = read(Claude().ask(0).answer(1, 1).answer(2, 2, **unusual))
        assert (result.cost_cents, result.output_tokens) == (None, 200)
    assert [one.cost_cents for one in read(Claude().ask(0).answer(1, 1, model="glm-5"))] == [None]


def test_writes_that_are_kept_for_long_are_priced_so() -> None:
    long: dict[str, Any] = {"cache_creation_input_tokens": 1000, "cache_creation": {"ephemeral_1h_input_tokens": 400}}
    (result,) = read(Claude().ask(0).answer(1, 1, input_tokens=0, output_tokens=0, **long))
    assert (result.cost_cents, result.cache_write_tokens) == (Decimal("0.775"), 1000)
    assert result.insights["cache_write_long_tokens"] == 400


def test_errors_that_the_client_writes_as_answers_are_no_requests() -> None:
    assert read(Claude().ask(0).answer(1, 1, model="<synthetic>")) == []


def test_only_what_was_done_in_the_workspace_if_that_is_asked_for() -> None:
    here = replace(LATE, within=(Path("/home/ann/api"),))
    assert len(read(one_turn(), here)) == 1
    assert read(one_turn(), replace(LATE, within=(Path("/home/ann/ap"),))) == []


def test_a_line_that_is_broken_is_named_and_the_others_are_read() -> None:
    faults = Faults()
    lines = [json.dumps(line) for line in one_turn().lines]
    content = "\n".join([*lines[:2], '{"type": "user", "timestamp": 7}', "nonsense", *lines[2:], lines[0][:50]])
    found = read_bytes(content.encode(), replace(LATE, faults=faults))
    assert [one.output_tokens for one in found] == [350]
    assert [name.partition(":")[0] for name in faults.named] == ["line 3", "line 4"]


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([json.dumps(l).encode() for l in one_turn().lines]))))  # noqa: E741
def test_any_bytes_are_read_to_their_end(lines: list[bytes]) -> None:
    for result in read_bytes(b"\n".join(lines), replace(LATE, faults=Faults())):
        assert (result.output_tokens or 0) <= 350
