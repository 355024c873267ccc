from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from instance.learning.expectation import (
    NOTHING,
    Evidence,
    Expectation,
    FleetEvidence,
    elsewhere,
    expected_rate,
    rank,
)
from instance.learning.idioms import Idiom
from instance.learning.information import bits
from instance.learning.selection import Candidate, select
from schemas.calibration import (
    BITS_EDGES,
    FACTORS,
    FILES_EDGES,
    REPOSITORIES_EDGES,
    SEEN_EDGES,
    SHAPE,
    Calibration,
    foretold,
    place,
)
from schemas.fingerprint import fingerprint

SEEN = 40
EVEN = Calibration(language="python", factors=(1.0,) * FACTORS, repositories=9)
WORDS = "open path join json load dump sleep run call read write close start stop send match".split()  # noqa: SIM905

rates = st.floats(0.0, 1.0)


def evidence(number: int, files: int, fleet: FleetEvidence = NOTHING) -> Evidence:
    names = tuple((f"{word}{number}", "lib") for word in WORDS[:4])
    template = " . ".join(name for name, _ in names) + " ( $1 )"
    idiom = Idiom(fingerprint("python", "statement", template), "python", "statement", template, names, 10, 1)
    return Evidence(idiom, files, bits(template, names), fleet)


def numbers(ranked: list[Expectation], known: list[Evidence]) -> list[int]:
    return [known.index(one.evidence) for one in ranked]


def weighing(**at: float) -> Calibration:
    """Every factor 1 but those of patterns in one file (`once`) or in none (`unseen`) of the files seen."""
    factors = list(EVEN.factors)
    for repositories, telling in product((0, *REPOSITORIES_EDGES), (0.0, *BITS_EDGES)):
        factors[place(SEEN, 0, repositories, telling)] = at.get("unseen", 1.0)
        factors[place(SEEN, 1, repositories, telling)] = at.get("once", 1.0)
    return structs.replace(EVEN, factors=tuple(factors))


def test_every_kind_of_evidence_has_a_place_of_its_own() -> None:
    kinds = product((0, *SEEN_EDGES), (0, *FILES_EDGES), (0, *REPOSITORIES_EDGES), (0.0, *BITS_EDGES))
    assert [place(*kind) for kind in kinds] == list(range(FACTORS))
    assert len(SHAPE) == 4


def test_an_edge_belongs_to_what_is_above_it() -> None:
    assert place(8, 0, 0, 0.0) == place(31, 0, 0, 0.0) != place(7, 0, 0, 0.0)


@given(st.integers(0, 500), st.integers(0, 500), rates)
def test_what_is_foretold_lies_between_what_was_seen_and_what_others_do(
    seen: int, files: int, mean_rate: float
) -> None:
    files = min(files, seen)
    own = files / seen if seen else mean_rate
    low, high = sorted((own, mean_rate))
    assert low - 1e-9 <= foretold(seen, files, mean_rate) <= high + 1e-9


@given(st.lists(rates, min_size=2, max_size=9), st.integers(0, 50))
def test_a_repository_does_not_hear_itself(others: list[float], files: int) -> None:
    everyone = [*others, files / 50]
    said = sum(rate > 0 for rate in everyone), sum(everyone) / len(everyone)
    heard = elsewhere(*said, fleet=len(everyone), files=files, seen=50)
    having = sum(rate > 0 for rate in others)
    expected = FleetEvidence(having, sum(others) / len(others)) if having >= 2 else NOTHING
    assert heard.repositories == expected.repositories
    assert heard.mean_rate == pytest.approx(expected.mean_rate, abs=1e-9)


def test_one_other_repository_says_nothing() -> None:
    alone, several = evidence(1, 2, FleetEvidence(1, 0.9)), evidence(1, 2, FleetEvidence(2, 0.9))
    assert expected_rate(alone, SEEN, EVEN) == expected_rate(evidence(1, 2), SEEN, EVEN)
    assert expected_rate(several, SEEN, EVEN) > expected_rate(alone, SEEN, EVEN)


def test_a_rate_is_never_more_than_every_file() -> None:
    assert expected_rate(evidence(1, SEEN), SEEN, structs.replace(EVEN, factors=(99.0,) * FACTORS)) == 1.0


def test_expected_use_is_counted_in_files() -> None:
    (found,) = rank([evidence(1, 12)], SEEN, limit=5)
    assert found.files_expected(1000) == pytest.approx(300)


@pytest.mark.parametrize("table", [None, structs.replace(EVEN, edges=2), structs.replace(EVEN, factors=(1.0,))])
def test_without_a_readable_table_own_evidence_counts_alone(table: Calibration | None) -> None:
    known = [evidence(number, files, FleetEvidence(9, 0.9)) for number, files in enumerate((0, 7, 1, 20, 3, 0))]
    ranked = rank(known, SEEN, table, limit=10)
    paying = select([Candidate(one.idiom, one.files, one.files) for one in known], SEEN, limit=10)
    assert [one.evidence.idiom for one in ranked][: len(paying)] == [one.idiom for one in paying]
    assert numbers(ranked, known) == [3, 1, 4, 2]  # the last one pays only in further files


def test_what_the_fleet_does_often_is_expected_unseen() -> None:
    known = [evidence(0, 1), evidence(1, 0, FleetEvidence(6, 0.2)), evidence(2, 0, FleetEvidence(2, 0.001))]
    assert numbers(rank(known, SEEN, weighing(once=0.3), limit=10), known) == [1, 0]
    assert numbers(rank(known, 0, EVEN, limit=10), known)[0] == 1


def test_the_table_decides_between_own_and_foreign_evidence() -> None:
    known = [evidence(0, 1), evidence(1, 0, FleetEvidence(6, 0.2))]
    assert numbers(rank(known, SEEN, weighing(once=0.1), limit=10), known) == [1, 0]
    assert numbers(rank(known, SEEN, weighing(unseen=0.1), limit=10), known) == [0, 1]


@pytest.mark.parametrize(("seen", "first"), [(2, 1), (400, 0)])
def test_the_more_was_seen_the_less_can_be_outweighed(seen: int, first: int) -> None:
    known = [evidence(0, seen // 2), evidence(1, 0, FleetEvidence(6, 0.5))]
    factors = list(EVEN.factors)
    for repositories, telling in product((0, *REPOSITORIES_EDGES), (0.0, *BITS_EDGES)):
        factors[place(seen, 0, repositories, telling)] = 30.0
        factors[place(seen, seen // 2, repositories, telling)] = 0.2
    ranked = rank(known, seen, structs.replace(EVEN, factors=tuple(factors)), limit=10)
    rate = {number: one.rate for number, one in zip(numbers(ranked, known), ranked, strict=True)}
    assert rate[1] > rate[0]
    assert numbers(ranked, known)[0] == first


def test_the_list_is_limited_and_each_pattern_in_it_once() -> None:
    known = [evidence(number, number + 1) for number in range(30)]
    for table in (None, EVEN):
        ranked = rank([*known, *known], SEEN, table, limit=8)
        assert numbers(ranked, known) == list(range(29, 21, -1))


def test_the_order_of_evidence_does_not_matter() -> None:
    known = [evidence(number, number % 3, FleetEvidence(number % 4, 0.01 * number)) for number in range(20)]
    assert rank(known, SEEN, EVEN, limit=9) == rank(known[::-1], SEEN, EVEN, limit=9)
