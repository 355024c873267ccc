"""What centralcloud says of evidence: how often a pattern, seen so often here and elsewhere, is met again.

Centralcloud fits the factors and instances apply them, so both find a factor's place by the edges written here.
"""

from __future__ import annotations

from bisect import bisect_right
from math import prod
from typing import Annotated, Final

from msgspec import Meta, Struct

from schemas.names import DEFAULT_TENANT, Count, Name

EDGES: Final = 1
"""Number of this set of edges; a table made for another one must not be read with these."""

SEEN_EDGES: Final = (8, 32, 128)
"""Files of the repository that were looked at."""
FILES_EDGES: Final = (1, 2, 3, 5, 10)
"""Those of them that show the pattern."""
REPOSITORIES_EDGES: Final = (2, 3, 5, 9)
"""Other repositories that have it."""
BITS_EDGES: Final = (14.0, 20.0, 28.0, 40.0)
"""What its template tells, in bits."""

SHAPE: Final = tuple(len(edges) + 1 for edges in (SEEN_EDGES, FILES_EDGES, REPOSITORIES_EDGES, BITS_EDGES))
FACTORS: Final = prod(SHAPE)
LIKE_FILES: Final = 8.0
"""What other repositories do counts like so many files seen here."""


class Calibration(Struct, frozen=True, kw_only=True):
    """Factors for one language: what came true over what was foretold, one for each kind of evidence."""

    language: str
    """Empty: fitted over all languages, for those without a table of their own."""
    factors: Annotated[tuple[float, ...], Meta(max_length=10_000)]
    """By files seen, files with the pattern, repositories with it and bits, the last running fastest; four decimals."""
    repositories: Count
    """How many it was fitted from."""
    edges: Count = EDGES

    @property
    def readable(self) -> bool:
        """Whether it was made for the edges known here."""
        return self.edges == EDGES and len(self.factors) == FACTORS

    def factor(self, seen: int, files: int, repositories: int, bits: float) -> float:
        """Return the factor for a pattern in `files` of the `seen` files, and in so many other repositories."""
        return self.factors[place(seen, files, repositories, bits)]


def place(seen: int, files: int, repositories: int, bits: float) -> int:
    """Return where the factor for this kind of evidence stands."""
    where = bisect_right(SEEN_EDGES, seen)
    where = where * SHAPE[1] + bisect_right(FILES_EDGES, files)
    where = where * SHAPE[2] + bisect_right(REPOSITORIES_EDGES, repositories)
    return where * SHAPE[3] + bisect_right(BITS_EDGES, bits)


def foretold(seen: int, files: float, mean_rate: float) -> float:
    """Return the share of further files a pattern is expected in, before the factor.

    The mean of what was seen here and what other repositories do, as in Bayesian estimation of a proportion.
    """
    return (files + LIKE_FILES * mean_rate) / (seen + LIKE_FILES)


class CalibrationQuery(Struct, frozen=True, kw_only=True):
    """Ask for the tables that tell how far evidence can be trusted."""

    tenant: Name = DEFAULT_TENANT


class CalibrationPage(Struct, frozen=True, kw_only=True):
    """All tables, by language; none while too few repositories are known."""

    tables: tuple[Calibration, ...]
