"""Bodies of posts: what is sent on, and what is refused before anything is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from centralcloud.web.posted import EVENTS_PER_POST_MAX, parcels
from schemas.codec import decode
from schemas.envelope import BYTES_MAX, EVENTS_MAX, POST_KEY, Envelope
from schemas.events import ResultsLearned
from shared.web.refusal import RefusedError
from tests.contract.golden import golden
from tests.support.patterns import TOPIC
from tests.support.wire import event

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RESULT = golden("job.result.learned.v1").replace(b"\n", b"")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 10_000, 400),
        (b"7", 422),
        (b"[[]]", 422),
        (b'{"type":"of.tomorrow.v1"}', 422),
        (b'{"type":"intelligence.envelope.v1"}', 422),
        (event(1) + b"\n{}", 422),
        (b"[" + b"0," * EVENTS_PER_POST_MAX + b"0]", 413),
        (b'{"' + b"a" * BYTES_MAX + b'":1}', 413),
    ],
)
def test_what_could_not_be_taken_in_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        parcels(body, "key", "builder", NOW)
    assert refused.value.status == status


def test_events_are_packed_by_topic_each_as_it_was_sent() -> None:
    body = b"\n".join([event(number) for number in range(EVENTS_MAX + 1)] + [RESULT])
    packed = parcels(body, "key", "builder", NOW)
    assert [(one.topic, one.events) for one in packed] == [
        (TOPIC, EVENTS_MAX),
        (TOPIC, 1),
        (ResultsLearned.topic, 1),
    ]
    read = [decode(one.body, Envelope) for one in packed]
    assert [one.metadata[POST_KEY] for one in read] == ["key.0", "key.1", "key.2"]
    assert [bytes(raw) for one in read for raw in one.data.events] == body.split(b"\n")


def test_the_same_post_is_packed_the_same_way() -> None:
    body = b"[" + b",".join(event(number) for number in range(250)) + b"]"
    assert parcels(body, "key", "builder", NOW) == parcels(body, "key", "builder", NOW)
