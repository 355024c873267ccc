"""A share of choices given to the incumbent by lot, and models that alone may be chosen."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from instance.config import InstanceSettings
from instance.learning.routing.choice import Choice
from instance.learning.routing.task import Plan
from instance.learning.routing.worlds import Constraints
from instance.routing import constraints_of
from shared.errors import NotFoundError, UsageError
from tests.unit.test_routing_choice import chosen, known

HELD = Constraints(incumbent=("c",), holdout=0.3, success_min=0.5, exploration=0.0, stages_max=1)


def shares(found: Iterable[Choice]) -> set[tuple[Plan, float]]:
    """Plans that were chosen, and how likely they were."""
    return {(one.plan, round(one.propensity, 9)) for one in found}


def test_the_lot_falls_as_often_as_it_is_said_to_and_every_propensity_knows_of_it() -> None:
    found = [chosen(known(), HELD, seed) for seed in range(200)]
    held = [one for one in found if one.held_out]
    others = [one for one in found if not one.held_out]
    assert 0.2 < len(held) / len(found) < 0.4
    assert shares(held) == {(("c",), 0.3)}
    assert shares(others) == {(("b",), 0.7)}
    assert all(one.held_out is False for one in others), "a lot was drawn for these, too"
    assert held[0].reason == "held out: in 30.0 % of choices the incumbent, whatever is known"
    assert held[0].outlook is not None


def test_an_incumbent_that_would_be_chosen_anyway_is_all_the_likelier() -> None:
    constraints = Constraints(incumbent=("b",), holdout=0.3, success_min=0.5, exploration=0.0, stages_max=1)
    found = [chosen(known(), constraints, seed) for seed in range(20)]
    assert {one.held_out for one in found} == {True, False}
    assert shares(found) == {(("b",), 1.0)}


def test_an_incumbent_nothing_is_known_of_is_chosen_by_lot_alone() -> None:
    found = [
        chosen(known(), Constraints(incumbent=("z",), holdout=0.5, success_min=0.5, stages_max=1), seed)
        for seed in range(20)
    ]
    held = [one for one in found if one.held_out]
    assert held
    assert all(one.plan == ("z",) and one.propensity == 0.5 and one.alternatives for one in held)
    assert all(one.plan != ("z",) for one in found if not one.held_out)


def test_where_there_is_nothing_to_hold_out_no_lot_is_drawn() -> None:
    for constraints in (
        Constraints(holdout=1.0),
        Constraints(holdout=1.0, incumbent=("c",), forbidden={"c"}),
        Constraints(holdout=1.0, incumbent=("c",), only={"a", "b"}),
        Constraints(holdout=1.0, incumbent=("c",), pinned=("a",)),
        Constraints(holdout=1.0, incumbent=("c",), is_off=True),
    ):
        assert chosen(known(), constraints).held_out is None


def test_only_some_models_may_be_chosen() -> None:
    constraints = Constraints(only={"a", "c"}, exploration=1.0)
    found = [chosen(known(), constraints, seed) for seed in range(20)]
    assert {model for one in found for plan in (one.plan, *[other.plan for other in one.alternatives])
            for model in plan} == {"a", "c"}  # fmt: skip
    with pytest.raises(NotFoundError):
        chosen(known(), Constraints(only={"z"}))


def test_the_settings_say_so() -> None:
    asked = constraints_of(InstanceSettings(routing_only="small, large", routing_holdout=0.1))
    assert (asked.only, asked.holdout) == ({"small", "large"}, 0.1)
    assert constraints_of(InstanceSettings()).only is None
    with pytest.raises(UsageError, match="huge is pinned and not in `routing_only`"):
        constraints_of(InstanceSettings(routing_only="small"), pinned="huge")
