"""LiteLLM's adaptive router without its proxy: the bandit that chooses and learns, asked line by line.

In life it is told less: it guesses from patterns in what people write whether an answer was good. This module runs
where Flocklore is not installed.
"""

from __future__ import annotations

import json
import random
import sys

from litellm.router_strategy.adaptive_router.bandit import (  # type: ignore[import-not-found]  # a peer, no dependency
    BanditCell,
    apply_delta,
    initial_cell,
    pick_best,
)
from litellm.types.router import AdaptiveRouterPreferences, RequestType  # type: ignore[import-not-found]  # same

_TIER = 2  # of three: nothing is known of any model


class Bandit:
    """One router: a cell for each model, of one type of request."""

    def __init__(self, seed: int, costs: dict[str, float]) -> None:
        first = initial_cell(AdaptiveRouterPreferences(quality_tier=_TIER), RequestType.CODE_GENERATION)
        self._cells: dict[str, BanditCell] = dict.fromkeys(costs, first)
        self._costs = costs
        self._rng = random.Random(seed)  # noqa: S311 - a simulation

    def pick(self) -> str:
        """Choose."""
        return str(pick_best(self._cells, self._costs, rng=self._rng))

    def learn(self, model: str, succeeded: bool) -> None:  # noqa: FBT001 - read from a list
        """Take in an outcome."""
        self._cells[model] = apply_delta(self._cells[model], float(succeeded), float(not succeeded))


def main() -> None:
    """Answer until there is no more to read."""
    bandits: dict[int, Bandit] = {}
    for line in sys.stdin:
        verb, number, *said = json.loads(line)
        answer = None
        if verb == "make":
            bandits[number] = Bandit(*said)
        else:
            answer = getattr(bandits[number], verb)(*said)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
