"""Messages as ingest holds them, without a server, and a time that only a test moves."""

from __future__ import annotations

from nats.aio.client import Client
from nats.aio.msg import Msg

from centralcloud.ingest.buffer import Held
from schemas import subjects
from schemas.subjects import Sender
from tests.support.patterns import TOPIC
from tests.support.wire import envelope

CLIENT = Client()


class Clock:
    """Seconds since whenever."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def held(instance: str, number: int = 1, events: int = 1) -> Held:
    """An envelope of an instance, so many events from that number on."""
    body = envelope(number, [b"{}"] * events)
    return Held.of(Msg(CLIENT, subject=subjects.learned(TOPIC, Sender("default", instance)), data=body))
