"""From what a batch did to what the feed tells of it: one line for each instance, numbers only. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from centralcloud.ingest.effects import Effects
from centralcloud.store.activity import Happening

Of = tuple[str | None, str | None]
"""Tenant and instance; neither is known of a message whose subject names none."""

LEARNED: Final = "learned"


def news(effects: Effects) -> list[Happening]:
    """Say of each instance how much was taken in, and of what kind it was; and what could not be read."""
    return [
        *(
            Happening(tenant=tenant, kind=LEARNED, instance=instance, data=dict(counts))
            for (tenant, instance), counts in sorted(_counts(effects).items())
        ),
        *(
            Happening(tenant=tenant, kind="dead_letter", instance=instance, data={"letters": letters})
            for (tenant, instance), letters in _letters(effects).items()
        ),
    ]


def _counts(effects: Effects) -> dict[tuple[str, str], Counter[str]]:
    """Count by tenant and instance; kinds there were none of are left out."""
    found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in effects.log:
        found[row["tenant"], row["instance"]]["events"] += row["last_seq"] - row["first_seq"] + 1
    for one in effects.observations:
        found[one.tenant, one.instance]["forgotten" if one.forgotten else "patterns"] += 1
    for name, many in (("results", effects.results), ("opinions", effects.feedback)):
        for said in many:
            found[said.tenant, said.instance][name] += 1
    return found


def _letters(effects: Effects) -> Counter[Of]:
    return Counter(
        (letter.lineage.tenant, letter.lineage.instance) if letter.lineage else (None, None)
        for letter in effects.letters
    )
