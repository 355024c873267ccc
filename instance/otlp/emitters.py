"""Whose word an entry is, and the requests a batch of them tells of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from instance.learning.prices import Prices
from instance.otlp import claude, codex, genai
from instance.otlp.entries import Entry, Signal
from instance.otlp.requests import Request
from instance.store.results import JobResult
from shared.errors import ContractError


class Read(NamedTuple):
    """What came of a batch."""

    results: list[JobResult]
    rejected: int
    why: str
    """Of what was rejected, most of it first."""


def read(signal: Signal, entries: Iterable[Entry], prices: Prices, now: datetime) -> Read:
    """Find the requests; what is none is passed over, and a request that makes no sense is rejected."""
    found, reasons = [], Counter[str]()
    for entry in entries:
        try:
            request = _request(signal, entry)
            if request is not None:
                found.append(request.result(prices, now))
        except ContractError as error:
            reasons[str(error)] += 1
    why = "; ".join(f"{count} not recorded: {reason}" for reason, count in reasons.most_common())
    return Read(found, reasons.total(), why)


def _request(signal: Signal, entry: Entry) -> Request | None:
    if claude.is_from(entry):
        return claude.read(entry) if signal == "logs" else None
    if codex.is_from(entry):
        return codex.read(entry) if signal == "logs" else None
    return genai.read(entry) if signal == "traces" else None
