"""Near-duplicates: templates that differ in hardly a token are one habit to a reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared import minhash

ALIKE: Final = 0.7
"""Share of shingles two templates must have in common: about one token of a dozen may differ."""


def clusters(templates: Sequence[str]) -> list[int]:
    """Return for each template, the strongest first, the place of the one that stands for it: often its own.

    Leader clustering (Hartigan, "Clustering Algorithms", 1975): whoever is like none of the leaders before becomes
    one itself, so that no chain of small differences joins what is unlike. Time grows with the number of templates.
    """
    neighbours = minhash.Neighbours()
    leaders: list[int] = []
    found: list[int] = []
    for place, signature in enumerate(minhash.signatures(templates)):
        near = neighbours.near(signature, ALIKE)
        if near:
            found.append(leaders[near[0][0]])
        else:
            neighbours.add(signature)
            leaders.append(place)
            found.append(place)
    return found
