from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import comb

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from centralcloud.learning.calibration import ALL_LANGUAGES, SHARES_SEEN, Counts, conclude, fit, outcome
from schemas.calibration import FACTORS, Calibration, foretold, place

BITS = {f"p{number}": 9.0 + number % 50 for number in range(400)}


@st.composite
def repositories(draw: st.DrawFn) -> list[Counts]:
    """A few small repositories, each with some pattern in one file only."""
    names = draw(st.lists(st.sampled_from("abcdefgh"), min_size=3, max_size=5, unique=True))
    files = st.dictionaries(st.sampled_from(sorted(BITS)[:20]), st.integers(1, 12), max_size=12)
    return [Counts(name, draw(st.integers(12, 60)), {**draw(files), f"p{200 + ord(name)}": 1}) for name in names]


@given(repositories(), st.randoms())
@settings(max_examples=30)
def test_the_same_counts_give_the_same_tables_in_any_order(fleet: list[Counts], random: object) -> None:
    turned = [Counts(one.repository, one.files_total, dict(list(one.files.items())[::-1])) for one in reversed(fleet)]
    assert fit({"go": fleet, "rust": fleet}, BITS) == fit({"rust": turned, "go": turned}, BITS)


@given(repositories())
@settings(max_examples=30)
def test_every_factor_is_a_number_of_four_decimals(fleet: list[Counts]) -> None:
    for table in fit({"go": fleet}, BITS):
        assert table.readable
        assert all(0.0 <= factor < float("inf") and factor == round(factor, 4) for factor in table.factors)


@given(repositories())
@settings(max_examples=20)
def test_outcomes_are_those_of_every_way_to_see_a_part(fleet: list[Counts]) -> None:
    found = outcome(fleet, BITS)
    assert found is not None
    foretold_, came_true, samples = (np.zeros(FACTORS) for _ in range(3))
    for where, chance, said, came in ways(fleet):
        foretold_[where] += chance * said
        came_true[where] += chance * came
        samples[where] += chance
    np.testing.assert_allclose(found.foretold.ravel(), foretold_, atol=1e-9)
    np.testing.assert_allclose(found.came_true.ravel(), came_true, atol=1e-9)
    np.testing.assert_allclose(found.samples.ravel(), samples, atol=1e-9)


def ways(fleet: list[Counts]) -> Iterator[tuple[int, float, float, float]]:
    """Place, chance, what is foretold and what comes true, for every pattern, share and number of files seen."""
    for one in fleet:
        others = [other for other in fleet if other is not one]
        for identity in {identity for counts in fleet for identity in counts.files}:
            rates = [other.files.get(identity, 0) / other.files_total for other in others]
            heard = sum(rate > 0 for rate in rates)
            files, total = one.files.get(identity, 0), one.files_total
            if heard < 2 and not files:
                continue
            rate = sum(rates) / len(rates) if heard >= 2 else 0.0
            for share in SHARES_SEEN:
                seen = max(1, round(share * total)) if share else 0
                for shown in range(min(files, seen) + 1):
                    chance = comb(files, shown) * comb(total - files, seen - shown) / comb(total, seen)
                    if heard >= 2 or shown:
                        came = (files - shown) / (total - seen)
                        yield place(seen, shown, heard, BITS[identity]), chance, foretold(seen, shown, rate), came


def test_too_few_repositories_give_no_table() -> None:
    fleet = [Counts(name, 50, {"p1": 5}) for name in "ab"]
    assert outcome(fleet, BITS) is None
    assert outcome([*fleet, Counts("c", 3, {"p1": 2})], BITS) is None
    assert fit({"go": fleet}, BITS) == []
    assert conclude({}) == []


def test_there_is_a_table_for_each_language_and_one_for_all() -> None:
    fleet = world(np.random.default_rng(1), repositories=4)
    tables = fit({"go": fleet, "rust": fleet[:3], "perl": fleet[:2]}, BITS)
    assert [(one.language, one.repositories) for one in tables] == [(ALL_LANGUAGES, 7), ("go", 4), ("rust", 3)]


def test_a_language_without_evidence_of_a_kind_takes_over_what_holds_for_all() -> None:
    shared = [Counts(name, 40, {"p1": 9, "p2": 3, f"p{9 + number}": 1}) for number, name in enumerate("abc")]
    apart = [Counts(name, 40, {f"p{20 + number}": 4, f"p{30 + number}": 1}) for number, name in enumerate("abc")]
    common, go, rust = fit({"go": shared, "rust": apart}, BITS)
    where = place(40, 0, 2, BITS["p1"])
    assert rust.factors[where] == common.factors[where]
    assert rust.factors[where] != 1.0
    assert rust.factors != common.factors != go.factors


def test_what_only_one_has_is_not_heard_from_others() -> None:
    apart = [
        Counts(name, 40, {f"p{10 * number + extra}": 1 + extra for extra in range(4)})
        for number, name in enumerate("abc")
    ]
    found = outcome(apart, BITS)
    assert found is not None
    assert found.samples[:, :, 0].sum() > 0
    assert found.samples[:, :, 1:].sum() == 0


def test_where_all_are_alike_the_fleet_is_believed() -> None:
    """Every repository draws its files from the same habits, so what the others do is what comes."""
    table = fit({"go": world(np.random.default_rng(2), repositories=12)}, BITS)[1]
    for seen in (0, 5, 20, 40):
        expected = foretold(seen, 0, 0.05) * table.factor(seen, 0, 9, 30.0)
        assert 0.03 < expected < 0.08


def test_once_seen_is_trusted_less_than_often_seen() -> None:
    table = _own_world()
    once, often = (table.factor(60, files, 0, 30.0) for files in (1, 12))
    assert once < 0.5 * often


def test_patterns_in_one_file_are_reckoned_with_though_nobody_says_them() -> None:
    whole, unsaid = _own_world(), _own_world(files_min=2)
    for files in (1, 2):
        known, guessed = (table.factor(60, files, 0, 30.0) for table in (whole, unsaid))
        assert abs(guessed - known) < 0.4 * known


def world(generator: np.random.Generator, repositories: int) -> list[Counts]:
    """Repositories of 100 to 300 files that all use the same patterns, each to its own degree."""
    habits = {identity: float(generator.beta(0.6, 12.0)) for identity in BITS}
    fleet = []
    for number in range(repositories):
        total = int(generator.integers(100, 300))
        files: Mapping[str, int] = {identity: int(generator.binomial(total, rate)) for identity, rate in habits.items()}
        fleet.append(Counts(f"r{number}", total, {identity: count for identity, count in files.items() if count}))
    return fleet


def _own_world(files_min: int = 1) -> Calibration:
    """The table of repositories that share nothing; the number of their patterns falls by a power of the files."""
    counts = [files for files in range(1, 40) for _ in range(round(4000 * files**-3.0))]
    fleet: list[Counts] = []
    bits: dict[str, float] = {}
    for number in range(4):
        files = {f"{number}-{place_}": count for place_, count in enumerate(counts) if count >= files_min}
        bits |= dict.fromkeys(files, 30.0)
        fleet.append(Counts(f"r{number}", 300, files))
    return fit({"go": fleet}, bits)[1]
