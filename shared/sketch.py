"""Sketches that quantiles are read from: numbers counted in buckets each 2 % wider than the one before.

DDSketch (Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
VLDB 2019). What is measured here are whole numbers of small units up to 2^53, so that 1,838 buckets hold everything:
none is ever collapsed, and merging is exact, in any order and grouping.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from math import ceil, log
from typing import Final

from schemas.results import INDEX_MAX, RELATIVE_ERROR, Sketch

_GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA: Final = log(_GAMMA)


def sketch(numbers: Iterable[float]) -> Sketch:
    """Return the sketch of numbers of at least 0; those above 2^53 count as 2^53."""
    zeros = 0
    buckets: Counter[int] = Counter()
    for number in numbers:
        if number < 1:
            zeros += 1
        else:
            buckets[min(ceil(log(number) / _LOG_GAMMA), INDEX_MAX)] += 1
    return Sketch(zeros=zeros, buckets=tuple(sorted(buckets.items())))


def merge(sketches: Iterable[Sketch]) -> Sketch:
    """Return the sketch of all numbers together."""
    zeros = 0
    buckets: Counter[int] = Counter()
    for one in sketches:
        zeros += one.zeros
        for index, count in one.buckets:
            buckets[index] += count
    return Sketch(zeros=zeros, buckets=tuple(sorted(buckets.items())))


def size(found: Sketch) -> int:
    """How many numbers it was made of."""
    return found.zeros + sum(count for _, count in found.buckets)


def quantile(found: Sketch, q: float) -> float | None:
    """Return the number at rank q (n - 1), rounded down, within 1 %; None of an empty sketch; `q` is 0 to 1."""
    rank = int(q * (size(found) - 1))
    seen = found.zeros
    if rank < seen:
        return 0.0
    for index, count in found.buckets:
        seen += count
        if rank < seen:
            return float(2 * _GAMMA**index / (_GAMMA + 1))
    return None


def flaw(found: Sketch) -> str | None:
    """What is wrong with a sketch somebody sent; None when nothing is."""
    if any(one >= other for (one, _), (other, _) in pairwise(found.buckets)):
        return "the buckets of a sketch are not in order"
    if any(count == 0 for _, count in found.buckets):
        return "a bucket of a sketch is empty"
    return None
