"""What results would have cost by another table of prices; what is recorded of them does not change."""

from __future__ import annotations

from collections.abc import Iterable

from instance.learning.labels.summary import Seen
from instance.learning.prices import USAGE, Prices, listed_cost_cents


def repriced(seen: Iterable[Seen], prices: Prices) -> list[Seen]:
    """Return results at what their tokens cost by a table on their day; what it does not list keeps its cost."""
    return [_repriced(one, prices) for one in seen]


def _repriced(one: Seen, prices: Prices) -> Seen:
    if one.usage is None:
        return one
    usage = {"model_used": one.model, **dict(zip(USAGE, one.usage, strict=True))}
    listed = listed_cost_cents(prices, usage, one.day)
    return one if listed is None else one._replace(cost_cents=float(listed))
