"""Sums in SQL of counts that instances told: whatever they told, a sum is a count again."""

from __future__ import annotations

from schemas.names import COUNT_MAX


def total(column: str) -> str:
    """Write the sum of a column as SQL; it ends at `COUNT_MAX`, where the sum of a few liars would else overflow."""
    return f"CAST(least(sum({column}), {COUNT_MAX}) AS bigint)"
