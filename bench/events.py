"""Made-up events as agents write them, about 600 bytes each, and the envelopes an instance sends them in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from instance.store.outbox import Numbered
from instance.sync.packing import Parcel, pack
from schemas.codec import encode
from schemas.envelope import Source
from schemas.events import CodePatternLearned
from schemas.fingerprint import fingerprint
from schemas.subjects import Sender
from tests.support.patterns import TOPIC, repository_key

EPOCH = "0" * 31 + "1"
SENDER = Sender("default", "bench")
SOURCE = Source(instance_id=SENDER.instance, hostname="bench", environment="bench")
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_STATEMENT = (
    "with tempfile . TemporaryDirectory ( prefix = $1 ) as $2 : ⏎ "
    "$3 = pathlib . Path ( $2 ) . resolve ( strict = True ) ; $4 . append ( $3 ) "
)


def event(number: int, version: int = 1) -> bytes:
    """The bytes of one event about a pattern."""
    template = f"{_STATEMENT}{_STATEMENT}{number}"
    return encode(
        CodePatternLearned(
            id=f"{number:016x}{version:016x}",
            time=_NOW,
            fingerprint=fingerprint("python", "statement", template).hex(),
            repository=repository_key("bench"),
            version=version,
            files=3 + version,
            occurrences=7 * version,
            language="python",
            view="statement",
            tokens=24,
            template=template,
        )
    )


def numbered(numbers: Sequence[int], first_seq: int = 1, version: int = 1) -> list[Numbered]:
    """Events about patterns of these numbers, as the outbox hands them out."""
    return [Numbered(seq, TOPIC, event(number, version), 0) for seq, number in enumerate(numbers, first_seq)]


def envelopes(events: Sequence[Numbered]) -> Iterator[tuple[Parcel, bytes]]:
    """Pack events, and encode the envelopes."""
    for parcel in pack(events):
        yield parcel, parcel.envelope(EPOCH, SOURCE, _NOW)
