"""Summing up results."""

from __future__ import annotations

import pytest

from instance.learning.labels.summary import summary
from instance.learning.routing.offpolicy import Refusal
from instance.learning.routing.outlook import Interval
from tests.support.history import BLANK, work


def test_counts_and_sums_are_facts() -> None:
    (line,) = summary(work("opus", 2.0, good=0.8) + [BLANK] * 50, ["type", "model"])
    assert line.key == {"type": "fix", "model": "opus"}
    assert (line.results, line.labelled, line.succeeded, line.priced) == (250, 200, 160, 200)
    assert (line.cost_cents, line.tokens) == (400.0, 1400)
    assert isinstance(line.success, Interval)
    assert line.success.expected == 0.8
    assert isinstance(line.cents_per_success, Interval)
    assert line.cents_per_success.expected == pytest.approx(2.5)
    assert isinstance(line.ms_p95, Interval)
    assert line.ms_p95.low <= 1189 <= line.ms_p95.high


def test_what_is_unlabelled_is_no_success_and_no_failure() -> None:
    (line,) = summary([BLANK] * 9, ["type"])
    assert line.success == line.cents_per_success
    assert line.success == Refusal("none is labelled success or failed")
    assert line.cents_per_result == Refusal("no cost is known")


def test_failures_are_paid_for_by_successes() -> None:
    (line,) = summary(work("opus", 2.0, good=0.5) + work("opus", 50.0, good=0, succeeded=None), ["type"])
    assert isinstance(line.cents_per_success, Interval)
    assert line.cents_per_success.expected == pytest.approx(4.0)
    assert isinstance(line.cents_per_result, Interval)
    assert line.cents_per_result.expected == pytest.approx(26.0)


def test_results_are_parted_by_what_was_asked_the_most_first() -> None:
    seen = [BLANK, BLANK._replace(model=None), *[BLANK._replace(context={"language": "go", "branch": "x"})] * 3]
    assert [line.key for line in summary(seen, ["model", "context"])] == [
        {"model": "opus", "context": "language=go"},
        {"model": "", "context": ""},
        {"model": "opus", "context": ""},
    ]
    assert [line.results for line in summary(seen, [])] == [5]
    assert summary([], ["type"]) == []
