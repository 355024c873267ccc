from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from instance.learning.idioms import Idiom
from instance.learning.selection import Candidate, score, select
from schemas.fingerprint import fingerprint


def idiom(template: str, *names: str, origin: str = "language") -> Idiom:
    kept = tuple((name, origin) for name in names)
    return Idiom(fingerprint("python", "statement", template), "python", "statement", template, kept, 9, 1)


def candidate(files: int, template: str, *names: str, origin: str = "language") -> Candidate:
    return Candidate(idiom(template, *names, origin=origin), files, files)


def test_more_files_and_more_content_score_higher() -> None:
    rich, poor = idiom("$1 = os . path . join ( $2 , $3 )", "os", "path", "join"), idiom("if $1 is None : {…}")
    assert score(rich, 20, 100) > score(rich, 5, 100)
    assert score(rich, 20, 100) > score(poor, 20, 100)


def test_a_part_with_the_same_support_is_not_chosen_again() -> None:
    whole = candidate(10, "with open ( $1 ) as $2 : json . load ( $2 )", "open", "json", "load")
    part = candidate(12, "if json . load ( $1 ) : {…}", "json", "load")
    assert select([part, whole], 100, limit=10) == [whole]


def test_a_part_that_is_mostly_elsewhere_is_chosen_too() -> None:
    whole = candidate(10, "with open ( $1 ) as $2 : return json . load ( $2 )", "open", "json", "load")
    part = candidate(90, "with open ( $1 ) as $2 : {…}", "open")
    assert set(select([part, whole], 100, limit=10)) == {whole, part}


def test_of_a_variation_only_the_difference_counts() -> None:
    common = candidate(60, "with pytest . raises (…) as $1 : {…}", "pytest", "raises", origin="pytest")
    variation = candidate(50, "with pytest . raises (…) as $1 , $2 : len ( $2 )", "pytest", "raises", origin="pytest")
    other = candidate(40, "with pytest . warns (…) as $1 : {…}", "pytest", "warns", origin="pytest")
    assert select([common, variation, other], 100, limit=2) in ([common, other], [variation, other])


def test_how_literals_and_folds_look_makes_no_difference() -> None:
    plain = candidate(50, 'raise ValueError ( "S" ) from None', "ValueError")
    folded = candidate(55, "raise ValueError (…) from None", "ValueError")
    assert len(select([plain, folded], 100, limit=10)) == 1


def test_a_bare_use_of_the_language_is_no_habit() -> None:
    bare = candidate(90, "$1 = json . dumps (…)", "json", "dumps")
    foreign = candidate(90, "$1 = requests . get (…)", "requests", "get", origin="requests")
    assert select([bare, foreign], 100, limit=10) == [foreign]


def test_selection_is_limited_and_needs_support() -> None:
    many = [candidate(number, f"with name{number} ( $1 ) : {{…}}", f"name{number}") for number in range(1, 30)]
    assert len(select(many, 30, limit=3)) == 3
    assert all(one.files >= 5 for one in select(many, 30, limit=100, min_files=5))


templates = st.lists(st.sampled_from(["with", "open", "json", "$1", "$2", "(", ")", "{…}"]), min_size=3, max_size=9)
candidates = st.lists(
    st.tuples(templates.map(" ".join), st.integers(1, 40)), unique_by=lambda one: one[0], max_size=12
).map(lambda found: [candidate(files, template, "open", "json") for template, files in found])


@given(candidates, st.randoms())
def test_the_order_of_candidates_makes_no_difference(found: list[Candidate], chance: object) -> None:
    shuffled = list(found)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert select(found, 40, limit=5) == select(shuffled, 40, limit=5)


@given(candidates, st.integers(1, 8))
def test_a_shorter_list_is_the_beginning_of_a_longer_one(found: list[Candidate], limit: int) -> None:
    assert select(found, 40, limit=limit) == select(found, 40, limit=20)[:limit]
