"""Which region is to serve a tenant, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from centralcloud.store.pins import Pin

SILENT_SECONDS_MAX: Final = 60.0
"""A region whose delegate was not heard for so long is away."""


class Serving(NamedTuple):
    """A region, empty when none may or can; and the reasons, a line each."""

    region: str
    reasons: tuple[str, ...]


def serving(pin: Pin | None, own: str, silences: Mapping[str, float]) -> Serving:
    """Choose the first region that may hold a tenant and is alive.

    `own` is the region of the hub that is asked, and alive: it answers. `silences` says for how many seconds other
    regions have not been heard.
    """
    if pin is None:
        return Serving(own, ("not pinned: any region may hold it",))
    reasons = [f"pinned to {', then '.join(pin.regions)}"]
    for region in pin.regions:
        alive, why = _alive(region, own, silences)
        reasons.append(f"{region}: {why}: {'alive -> ' + region if alive else 'away'}")
        if alive:
            return Serving(region, tuple(reasons))
    return Serving("", (*reasons, "no region that may hold it is alive: its instances keep what they learn"))


def _alive(region: str, own: str, silences: Mapping[str, float]) -> tuple[bool, str]:
    if region == own:
        return True, "this hub"
    if region not in silences:
        return False, "never heard here"
    return silences[region] < SILENT_SECONDS_MAX, f"last heard {silences[region]:.0f} s ago"
