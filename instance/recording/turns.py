"""A turn: everything a model did between one thing it was asked and the next. It is the job a transcript tells of.

Where a turn ends follows from the file alone: at the next question, or where nothing was written for an hour. The last
turn of a file is over when it has been quiet for so long by the clock. So reading a file earlier, later or twice gives
the same turns, and a turn is given only once nothing can be added to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from instance.analysis.languages import language_of
from instance.learning.prices import MICRO, Prices, Tokens
from instance.store.results import JobResult

QUIET: Final = timedelta(hours=1)


class Request(NamedTuple):
    """What one request to a model took; `listed` when it was billed as the price list says."""

    model: str
    at: datetime
    tokens: Tokens
    listed: bool = True


@dataclass
class Turn:
    """One turn while it is read."""

    began: datetime
    heard: datetime
    """When anything was last written."""
    answered: datetime | None = None
    """When the model last wrote."""
    context: dict[str, str] = field(default_factory=dict)
    directory: str = ""
    requests: dict[str, Request] = field(default_factory=dict)
    """By what the provider calls them."""
    tool_calls: int = 0
    tool_errors: int = 0
    files: Counter[str] = field(default_factory=Counter)
    """How often files of a language were changed."""
    commits: list[str] = field(default_factory=list)

    def take(self, identity: str, request: Request) -> None:
        """Add a request, or what more is told of one: what is written early of it is too little, never too much."""
        known = self.requests.get(identity)
        if known is not None:
            tokens = Tokens(*map(max, known.tokens, request.tokens))
            request = Request(known.model, known.at, tokens, known.listed and request.listed)
        self.requests[identity] = request

    def changed(self, path: str) -> None:
        """Note that a file was changed; its name is not kept."""
        if language := language_of(path):
            self.files[language.name] += 1

    def is_over(self, at: datetime) -> bool:
        """Tell whether what is written now belongs to another turn."""
        return at - self.heard >= QUIET

    def results(self, source: str, job_type: str, prices: Prices) -> Iterator[JobResult]:
        """Yield one result for each model that worked on it; nobody has said yet whether it was right."""
        by_model: dict[str, dict[str, Request]] = {}
        for identity, request in self.requests.items():
            by_model.setdefault(request.model, {})[identity] = request
        ended = self.answered or self.heard
        took_ms = max(0, round((ended - self.began).total_seconds() * 1000))
        for model, requests in by_model.items():
            spent = Tokens(*map(sum, zip(*(request.tokens for request in requests.values()), strict=True)))
            yield JobResult(
                job_type=job_type,
                source=source,
                external_id=next(iter(requests)),
                model_used=model,
                started_at=self.began,
                completed_at=ended,
                duration_ms=took_ms if len(by_model) == 1 else None,
                cost_cents=cost_cents(requests, prices),
                input_tokens=spent.input,
                output_tokens=spent.output,
                cache_read_tokens=spent.cache_read,
                cache_write_tokens=spent.cache_write + spent.cache_write_long,
                reasoning_tokens=spent.reasoning,
                context=self._context(),
                insights=self._insights(len(requests), spent),
            )

    def _context(self) -> dict[str, str]:
        known = dict(self.context)
        if self.files:
            known["language"] = self.files.most_common(1)[0][0]
        if self.commits:
            known["commit"] = " ".join(dict.fromkeys(self.commits))
        return known

    def _insights(self, requests: int, spent: Tokens) -> dict[str, int]:
        counted = {
            "requests": requests,
            "tool_calls": self.tool_calls,
            "tool_errors": self.tool_errors,
            "cache_write_long_tokens": spent.cache_write_long,
        }
        return {name: count for name, count in counted.items() if count}


def cost_cents(requests: Mapping[str, Request], prices: Prices) -> Decimal | None:
    """What requests cost together by the list; None as soon as the cost of one is unknown."""
    total = Decimal(0)
    for request in requests.values():
        cost = prices.cost_cents(request.model, request.at.date(), request.tokens) if request.listed else None
        if cost is None:
            return None
        total += cost
    return total.quantize(MICRO)
