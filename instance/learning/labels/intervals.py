"""Estimates with 95 % intervals, or the reason why there is none.

Shares: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927). Quantiles: order
statistics, which take nothing for granted of the distribution (David, Nagaraja, "Order statistics", 2003, 7.1). Ratios:
the standard error is bootstrapped (Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7,
1979) with days as the blocks (Kuensch 1989), since work of one day is alike; on the scale of logarithms, because costs
are positive and skewed, and with Student's t, because days are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from instance.learning.routing.offpolicy import Refusal, student
from instance.learning.routing.outlook import Interval

DAYS_MIN: Final = 7
EVENTS_MIN: Final = 5
"""Of what is divided by, at least."""
REPLICATES: Final = 1000

_Z: Final = 1.959964
_TAIL: Final = 0.025


def share(successes: int, number: int) -> Interval | Refusal:
    """Return a share with Wilson's interval."""
    if number == 0:
        return Refusal("none is labelled success or failed")
    rate, square = successes / number, _Z**2 / number
    middle = (rate + square / 2) / (1 + square)
    wide = _Z / (1 + square) * np.sqrt(rate * (1 - rate) / number + square / number / 4)
    return Interval(max(0.0, float(middle - wide)), rate, min(1.0, float(middle + wide)))


def quantile(values: Sequence[float], probability: float) -> Interval | Refusal:
    """Return a quantile between two order statistics that hold it with 95 % probability or a little more."""
    ordered, number = sorted(values), len(values)
    below = _binomial(number, probability)  # that at most so many values are below the quantile
    low = int(np.searchsorted(below, _TAIL, side="right"))
    high = int(np.searchsorted(below, 1 - _TAIL)) + 1
    if low < 1 or high > number:
        return Refusal(f"{number} times are too few; {_quantile_min(probability)} are needed")
    middle = ordered[min(number - 1, int(np.ceil(probability * number)) - 1)]
    return Interval(ordered[low - 1], middle, ordered[high - 1])


def ratio(above: Sequence[float], below: Sequence[float], rng: np.random.Generator) -> Interval | Refusal:
    """Return the ratio of two sums, given by day, both not negative."""
    days, top, bottom = len(above), np.asarray(above, np.float64), np.asarray(below, np.float64)
    if days < DAYS_MIN:
        return Refusal(f"{_days(days)} with results are too few to tell how days differ; {DAYS_MIN} are needed")
    if bottom.sum() < EVENTS_MIN:
        return Refusal(f"{bottom.sum():.0f} are too few to divide by; {EVENTS_MIN} are needed")
    if top.sum() == 0:
        return Refusal("all of it cost nothing")
    drawn = rng.multinomial(days, np.full(days, 1 / days), REPLICATES)
    tops, bottoms = drawn @ top, drawn @ bottom
    if not (tops.all() and bottoms.all()):
        return Refusal("too few days have any")
    error = np.log(tops / bottoms).std(ddof=1) * np.sqrt(days / (days - 1)) * student(days - 1)
    middle = top.sum() / bottom.sum()
    return Interval(float(middle * np.exp(-error)), float(middle), float(middle * np.exp(error)))


def _binomial(number: int, probability: float) -> NDArray[Any]:
    """Return P(X <= k) for k from 0 to `number`, by the ratios of neighbouring terms, in logarithms."""
    k = np.arange(number)
    steps = np.log((number - k) / (k + 1) * (probability / (1 - probability)))
    logs = np.concatenate([[0.0], np.cumsum(steps)]) + number * np.log1p(-probability)
    cumulated: NDArray[Any] = np.minimum(1.0, np.cumsum(np.exp(logs)))
    return cumulated


def _quantile_min(probability: float) -> int:
    """From how many values on two order statistics hold a quantile."""
    return int(np.ceil(np.log(_TAIL) / np.log(max(probability, 1 - probability))))


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"
