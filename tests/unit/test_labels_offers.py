"""What other plans would have saved on jobs made up."""

from __future__ import annotations

import pytest

from instance.learning.labels.offers import offers
from instance.learning.labels.summary import Seen
from instance.learning.routing.offpolicy import Refusal, Saving
from tests.support.history import work


def test_one_model_instead_of_another_saves_what_they_differ() -> None:
    seen = work("opus", 10.0, good=0.8) + work("haiku", 1.0, good=0.8)
    told = {offer.plan: offer.saving for offer in offers(seen)}
    haiku, opus = told["haiku",], told["opus",]
    assert isinstance(haiku, Saving)
    assert isinstance(opus, Saving)
    assert haiku.method == "direct"
    assert haiku.saved_cents.expected == pytest.approx(4.5)
    assert opus.saved_cents.expected == pytest.approx(-4.5)
    assert haiku.success.expected == pytest.approx(0.0)


def test_where_choices_were_drawn_the_estimate_is_doubly_robust() -> None:
    seen = work("opus", 10.0, good=0.8, route=1, plan=["opus"], propensity=0.5) + work(
        "haiku", 1.0, good=0.8, route=1, plan=["haiku"], propensity=0.5
    )
    assert [offer.saving.method for offer in offers(seen) if isinstance(offer.saving, Saving)] == ["doubly robust"] * 2


def test_what_cannot_be_compared_is_not() -> None:
    alone = work("opus", 10.0, good=0.8)
    assert offers(alone) == []
    assert offers(alone + work("haiku", 1.0, good=0.8, job_type="docs")) == []
    assert offers(alone + work("haiku", 1.0, good=0.8, context={"after": "opus"})) == []
    verified = [one._replace(job_type="verifier.tests") for one in alone + work("haiku", 1.0, good=0.8)]
    assert offers(verified) == []
    few = offers(alone + work("haiku", 1.0, good=0.8, days=1, a_day=3))
    assert [type(offer.saving) for offer in few] == [Refusal, Saving]


def escalated(good: float) -> list[Seen]:
    """Jobs that went to haiku and, where that was rejected, on to opus: two in ten."""
    first = work("haiku", 1.0, good=0.8, plan=["haiku", "opus"], propensity=0.5)
    first = [one._replace(route=place) for place, one in enumerate(first)]
    second = [
        one._replace(model="opus", cost_cents=10.0, succeeded=place % 20 < good * 20, context={"after": "haiku"})
        for place, one in enumerate(first)
        if not one.succeeded
    ]
    return first + second


def test_the_stages_of_a_plan_are_one_job() -> None:
    opus = work("opus", 10.0, good=0.8, route=0, plan=["opus"], propensity=0.5)
    told = {offer.plan: offer.saving for offer in offers(escalated(1.0) + opus)}
    assert set(told) == {("haiku", "opus"), ("opus",)}
    plan = told["haiku", "opus"]
    assert isinstance(plan, Saving)
    assert (plan.jobs, plan.method) == (400, "doubly robust")
    assert plan.saved_cents.expected == pytest.approx((10 - 3) / 2)
    assert plan.success.expected == pytest.approx((1 - 0.8) / 2)


def test_advice_that_was_not_followed_is_no_job() -> None:
    strange = [one._replace(model="gpt") for one in escalated(1.0)]
    opus = work("opus", 10.0, good=0.8)
    assert offers(strange + opus) == []
    twice = [one for one in escalated(1.0) for _ in range(2)]
    assert [offer.plan for offer in offers(twice + opus + work("haiku", 1.0, good=0.5))] == [("haiku",), ("opus",)]
