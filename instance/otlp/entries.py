"""A log record or a span, however it came, and the checked reading of its attributes.

Emitters send numbers as numbers or as strings, and older versions other names than newer ones: a reader asks for all
the names one thing ever had, and takes the first that says anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Final, Literal, NamedTuple, TypeAlias, TypeVar

from instance.recording.words import CHARACTERS_MAX, clean
from shared.errors import ContractError

T = TypeVar("T")

Scalar: TypeAlias = str | int | float | bool
Attributes: TypeAlias = Mapping[str, Scalar]
Signal = Literal["logs", "traces", "metrics"]

PARTS_MAX: Final = 500_000
"""Resources, records and attributes in one request. An exporter's batch has some thousands; 16 MB could hold millions,
and each costs the more the less it says."""

TOO_MANY: Final = f"a request has more than {PARTS_MAX} parts; export smaller batches"
COUNT_MAX: Final = 10**12

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECONDS_MAX: Final = (1 << 64) - 1
_DOLLARS_MAX: Final = 10**6
_DIGITS_MAX: Final = 40


class Entry(NamedTuple):
    """One log record or span."""

    name: str
    attributes: Attributes
    """Those that are no lists or maps: what is read here never is."""
    resource: Attributes
    scope: str = ""
    began_ns: int = 0
    """Of a span."""
    ended_ns: int = 0
    """Of a log record when it happened. 0: nobody said."""
    trace_id: str = ""
    span_id: str = ""
    failed: bool = False
    """Whether a span's status says so."""

    @property
    def service(self) -> str:
        """What the program calls itself."""
        return str(self.resource.get("service.name", ""))


class Walk:
    """Goes through the parts of one request, and no further than to a bound."""

    def __init__(self) -> None:
        self._left = PARTS_MAX

    def through(self, parts: Iterable[T] | None) -> Iterator[T]:
        """Yield them; `ContractError` when there are too many in all."""
        for part in parts or ():
            self._left -= 1
            if self._left < 0:
                raise ContractError(TOO_MANY)
            yield part


def number(attributes: Attributes, *names: str) -> Decimal | None:
    """The first of these that is there and not empty; `ContractError` names it when it is no number from 0."""
    name, value = _first(attributes, names)
    if value is None:
        return None
    try:
        told = Decimal(str(value).strip()[: _DIGITS_MAX + 1])
    except (ArithmeticError, ValueError):
        told = Decimal("NaN")
    if isinstance(value, bool) or not told.is_finite() or told < 0 or len(str(value)) > _DIGITS_MAX:
        raise ContractError(f"{name} is no number from 0")
    return told


def count(attributes: Attributes, *names: str) -> int | None:
    """Do as `number` does, rounded; `ContractError` above a trillion."""
    told = number(attributes, *names)
    if told is None:
        return None
    if told > COUNT_MAX:
        raise ContractError(f"{names[0]} is above {COUNT_MAX}")
    return round(told)


def cents(attributes: Attributes, *names: str) -> Decimal | None:
    """Dollars in cents; `ContractError` above a million dollars."""
    told = number(attributes, *names)
    if told is not None and told > _DOLLARS_MAX:
        raise ContractError(f"{names[0]} is above {_DOLLARS_MAX}")
    return None if told is None else told * 100


def word(attributes: Attributes, *names: str) -> str | None:
    """The first of these that is a name or an id: short and without a blank, as no sentence is."""
    _, value = _first(attributes, names)
    if not isinstance(value, str) or len(value) > CHARACTERS_MAX:
        return None
    kept = clean(value)
    return kept if kept == value and not any(letter.isspace() for letter in kept) else None


def moment(nanoseconds: int) -> datetime:
    """A time of OpenTelemetry's; `ContractError` when it is none."""
    if not 0 < nanoseconds <= _NANOSECONDS_MAX:
        raise ContractError("it has no time, so that a resend could not be told from another request")
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def milliseconds(began_ns: int, ended_ns: int) -> int | None:
    """How long something took; None when nobody can have meant it."""
    took_ms = round((ended_ns - began_ns) / 1_000_000)
    return took_ms if began_ns and 0 <= took_ms <= COUNT_MAX else None


def nanoseconds(attributes: Attributes, name: str) -> int:
    """A time written as ISO 8601; 0 when there is none."""
    try:
        told = datetime.fromisoformat(str(attributes.get(name, "")))
    except ValueError:
        return 0
    return (told - _EPOCH) // timedelta(microseconds=1) * 1000 if told.tzinfo else 0


def fingerprint(*parts: object) -> str:
    """What identifies a request that nobody gave an id: everything known of it, when it ended above all."""
    return blake2b("\0".join(map(str, parts)).encode("utf-8", "replace"), digest_size=16).hexdigest()


def _first(attributes: Attributes, names: tuple[str, ...]) -> tuple[str, Scalar | None]:
    told = ((name, attributes[name]) for name in names if name in attributes)
    return next(((name, value) for name, value in told if value != ""), (names[0], None))
