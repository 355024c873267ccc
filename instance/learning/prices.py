"""What models cost: a dated table, `prices/<provider>.toml` beside this module, that the user's own table overrules.

A `[[price]]` holds for its `models` (names as shells match them, without a date of release) from `since` to `until`,
both included, in requests of more than `above_tokens` of prompt, and says US cents per million tokens of each kind.
Without `reasoning` these cost what other output costs. What is not in the table has no price, which is not 0.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from shared.errors import ConfigurationError

COST_CENTS_MAX: Final = 10**9
"""More than this is no cost of one job, and cannot be kept."""

MICRO: Final = Decimal("0.000001")
"""Costs are told to a millionth of a cent."""

USAGE: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")

_MILLION: Final = 1_000_000
_VARIANT: Final = re.compile(r"\[\w+\]$")
_RELEASE: Final = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2})$")
_PROVIDER: Final = re.compile(r"^(?:anthropic|openai)/")

Words = Annotated[tuple[str, ...], Meta(min_length=1)]


class Tokens(NamedTuple):
    """What a request took; the kinds do not overlap."""

    input: int = 0
    """Neither read from a cache nor written to one."""
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_long: int = 0
    """Written to be kept for an hour, where that has a price of its own."""
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        """Everything the model was given."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_long


class Price(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US cents per million tokens; None of a kind that has no price of its own."""

    models: Words
    since: date = date.min
    until: date = date.max
    above_tokens: int = 0
    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_long: Decimal | None = None
    reasoning: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse what is no price; raises `ValueError`."""
        if any(rate is not None and not 0 <= rate.normalize() < _MILLION for rate in self._rates()):
            raise ValueError(f"a price of {self.models[0]} is not between 0 and {_MILLION} cents")

    def _rates(self) -> tuple[Decimal | None, ...]:
        return self.input, self.output, self.cache_read, self.cache_write, self.cache_write_long, self.reasoning

    def cost_cents(self, tokens: Tokens) -> Decimal | None:
        """What so many tokens cost; None when some of them have no price."""
        *rates, reasoning = self._rates()
        total = Decimal(0)
        for rate, count in zip((*rates, self.output if reasoning is None else reasoning), tokens, strict=True):
            if count and rate is None:
                return None
            total += count * (rate or 0)
        return total / _MILLION


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file: where its prices were published and when they were last compared with it."""

    source: str
    checked: date
    price: tuple[Price, ...]


class Prices:
    """Prices by model and day; of several tables the first that knows a model says all about it."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables = tuple(tables)
        self._rows = cache(self._find)

    def cost_cents(self, model: str, day: date, tokens: Tokens) -> Decimal | None:
        """What one request cost on that day; None when nobody has said what its tokens cost."""
        valid = [
            row
            for row in self._rows(model)
            if row.since <= day <= row.until and (not row.above_tokens or tokens.prompt > row.above_tokens)
        ]
        if not valid:
            return None
        return max(valid, key=lambda row: (row.since, row.above_tokens)).cost_cents(tokens)

    def _find(self, model: str) -> Sequence[Price]:
        name = plain_name(model)
        for table in self._tables:
            rows = [row for row in table.price if any(fnmatchcase(name, pattern) for pattern in row.models)]
            if rows:
                return rows
        return []


def listed_cost_cents(known: Prices, usage: Mapping[str, Any], day: date) -> Decimal | None:
    """What the `input_tokens` ... of `model_used` cost; None unless both what went in and what came out is known."""
    if any(usage.get(name) is None for name in ("model_used", "input_tokens", "output_tokens")):
        return None
    given, output, read, written, reasoning = (usage.get(name) or 0 for name in USAGE)
    cost = known.cost_cents(usage["model_used"], day, Tokens(given, output, read, written, reasoning=reasoning))
    return None if cost is None else cost.quantize(MICRO)


def plain_name(model: str) -> str:
    """A model's name without its provider, its date of release and the size of its context."""
    return _RELEASE.sub("", _VARIANT.sub("", _PROVIDER.sub("", model.strip().lower())))


@cache
def shipped() -> tuple[Table, ...]:
    """The tables that come with Flocklore."""
    return tuple(read_table(path) for path in sorted((Path(__file__).parent / "prices").glob("*.toml")))


def prices(own: Path | None = None) -> Prices:
    """The prices that hold here: those of the user's own file before those that come with Flocklore."""
    return Prices((*([read_table(own)] if own else []), *shipped()))


def read_table(path: Path) -> Table:
    """Read one file; raises `ConfigurationError` naming what is wrong with it."""
    try:
        document = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
        return msgspec.convert(document, Table)
    except OSError as error:
        raise ConfigurationError(f"prices: cannot read {path} ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"prices: {path} is no table of prices: {error}") from error
