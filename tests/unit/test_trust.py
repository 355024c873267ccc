from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from centralcloud.learning.ballots import Ballots
from centralcloud.learning.observation import LANGUAGE_KIND, Observation
from centralcloud.learning.trust import SET_ASIDE_Z, WITNESSES_MIN, judge, quantised
from tests.support.liars import World, judged, observed_ballots, verdict, world
from tests.support.observed import observation


@pytest.fixture(scope="module")
def attacked() -> World:
    return world(7, instances=200, facts=200, languages=4, liars=0.05)


def test_liars_in_concert_are_set_aside_and_change_nothing(attacked: World) -> None:
    trust = {name: one.trust for name, one in judged(attacked.observations).items()}
    without, found = verdict(attacked), verdict(attacked, trust)
    assert without.false_accepted + without.true_lost > 0  # the attack is one
    assert (found.false_accepted, found.true_lost, found.liars_found) == (0, 0, 1)
    assert found.honest_set_aside <= 0.01


def test_an_honest_fleet_is_believed() -> None:
    calm = world(8, instances=200, facts=200, languages=4, liars=0)
    trust = [one.trust for one in judged(calm.observations).values()]
    assert np.mean(trust) > 0.95
    assert trust.count(0) <= 1


def test_order_and_repetition_change_no_judgement(attacked: World) -> None:
    said = [*attacked.observations, *attacked.observations[:500]]
    shuffled = [said[place] for place in np.random.default_rng(3).permutation(len(said))]
    assert judged(shuffled) == judged(attacked.observations)


def test_a_small_fleet_judges_nobody() -> None:
    said = [observation("common", f"one-{n}", f"r{n}", files=n + 1) for n in range(WITNESSES_MIN - 2)]
    mad = [observation(f"odd {n}", "mad", "m", files=10**6) for n in range(50)]
    assert {one.trust for one in judged([*said, *mad]).values()} == {1.0}


def test_instances_alike_leave_room_for_one_a_little_different() -> None:
    alike = [observation(f"habit {fact}", f"one-{n}", f"r{n}", files=5) for n in range(20) for fact in range(30)] + [
        _files(f"one-{n}", f"r{n}", 50) for n in range(20)
    ]
    other = [observation(f"habit {fact}", "other", "o", files=3) for fact in range(30)] + [_files("other", "o", 50)]
    assert judged([*alike, *other])["other"].trust == 1.0


def test_trust_falls_in_quarters_and_ends_beyond_six() -> None:
    z = np.array([-9.0, 2.0, 2.4, 3.0, 3.5, 6.0, 6.01])
    assert quantised(z).tolist() == [1.0, 1.0, 0.75, 0.5, 0.25, 0.25, 0.0]


def test_when_too_many_disagree_nobody_is_set_aside() -> None:
    lost = world(7, instances=60, facts=200, languages=4, liars=0.4)
    assert {one.trust for one in judged(lost.observations).values() if one.z > SET_ASIDE_Z} <= {1.0}


def test_nothing_said_is_nothing_to_judge() -> None:
    assert judge(observed_ballots([])) == []
    (one,) = judge(observed_ballots([observation("p", "ann", "r")]))
    assert (one.trust, one.facts) == (1.0, 0)


@given(st.integers(0, 2**32 - 1), st.integers(10, 25), st.integers(1, 30))
@settings(max_examples=60)
def test_any_ballots_give_a_trust_to_everybody(seed: int, instances: int, facts: int) -> None:
    generator = np.random.default_rng(seed)
    cells = np.argwhere(generator.random((facts, instances)) < generator.random())
    ballots = Ballots(
        instances=tuple(f"{n:02}" for n in range(instances)),
        sizes=generator.integers(0, 40, (instances, 2)).astype(float),
        languages=generator.integers(0, 2, facts),
        fact=cells[:, 0],
        instance=cells[:, 1],
        files=generator.integers(1, 10**6, len(cells)).astype(float),
    )
    assert all(one.trust in (0, 0.25, 0.5, 0.75, 1) and np.isfinite(one.z) for one in judge(ballots))


def _files(instance: str, repository: str, files: int) -> Observation:
    return observation(
        "the language", instance, repository, kind=LANGUAGE_KIND, language="", view="", name="python", files=files
    )
