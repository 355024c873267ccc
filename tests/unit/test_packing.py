from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from instance.store.outbox import Numbered, next_epoch
from instance.sync.packing import pack
from schemas.codec import decode
from schemas.envelope import BYTES_MAX, EVENTS_MAX, Envelope, Source
from schemas.subjects import Topic

TOPICS = (Topic("code", "pattern"), Topic("architecture", "pattern"))


def numbered(rows: list[tuple[int, int, int]]) -> list[Numbered]:
    """Events from (step in sequence, topic, size)."""
    events, seq = [], 0
    for step, topic, size in rows:
        seq += step
        events.append(Numbered(seq, TOPICS[topic], b'"%s"' % (b"x" * size), attempt=seq % 3))
    return events


@given(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 1), st.integers(0, 40_000)), max_size=250))
def test_parcels_hold_every_event_once_in_order_within_their_limits(rows: list[tuple[int, int, int]]) -> None:
    events = numbered(rows)
    parcels = list(pack(events))
    assert [event for parcel in parcels for event in parcel.events] == events
    for parcel in parcels:
        assert len(parcel.events) <= EVENTS_MAX
        assert sum(len(event.body) for event in parcel.events) <= BYTES_MAX or len(parcel.events) == 1
        assert {event.topic for event in parcel.events} == {parcel.topic}
        assert [event.seq for event in parcel.events] == list(range(parcel.first_seq, parcel.last_seq + 1))


def test_an_envelope_carries_each_event_byte_for_byte() -> None:
    events = [Numbered(seq, TOPICS[0], b'{"odd":   %d}' % seq, attempt=0) for seq in (7, 8)]
    (parcel,) = pack(events)
    epoch = next_epoch()
    envelope = decode(parcel.envelope(epoch, Source(instance_id="one"), datetime.now(UTC)), Envelope)
    assert (envelope.data.epoch, envelope.data.first_seq, envelope.data.last_seq) == (epoch, 7, 8)
    assert [bytes(raw) for raw in envelope.data.events] == [event.body for event in events]


def test_a_replay_has_another_message_id_than_the_send_before() -> None:
    first = next(iter(pack([Numbered(1, TOPICS[0], b"1", attempt=0)])))
    second = next(iter(pack([Numbered(1, TOPICS[0], b"1", attempt=1)])))
    assert first.message_id("one", "e") != second.message_id("one", "e")


def test_epochs_sort_by_their_making_even_when_the_clock_goes_back() -> None:
    far_ahead = f"{2**47:012x}" + "0" * 20
    assert next_epoch(far_ahead) > far_ahead
    assert next_epoch(None, far_ahead, next_epoch()) > far_ahead
    assert len(next_epoch()) == 32


def test_a_parcel_is_of_one_trace() -> None:
    traces = ("", "00-a-b-01", "00-a-b-01", "00-c-d-01")
    events = [Numbered(seq, TOPICS[0], b"1", 0, trace) for seq, trace in enumerate(traces, 1)]
    assert [(parcel.traceparent, len(parcel.events)) for parcel in pack(events)] == [
        ("", 1),
        ("00-a-b-01", 2),
        ("00-c-d-01", 1),
    ]
