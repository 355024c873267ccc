from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.containment import Containment, compared
from instance.learning.idioms import FilePatterns, Idiom
from instance.learning.support import Candidate, Delta, difference, pack, score, select, unpack
from schemas.fingerprint import fingerprint
from shared.errors import PermanentError

IDENTITIES = [fingerprint("python", "statement", str(number)) for number in range(8)]
postings = st.dictionaries(st.sampled_from(IDENTITIES), st.integers(1, 1000))


def patterns(occurrences: dict[bytes, int]) -> FilePatterns:
    return FilePatterns(occurrences, {}, {})


def idiom(template: str, *names: str) -> Idiom:
    kept = tuple((name, "language") for name in names)
    return Idiom(fingerprint("python", "statement", template), "python", "statement", template, kept, 9, 1)


@given(postings)
def test_packing_loses_nothing(occurrences: dict[bytes, int]) -> None:
    assert unpack(pack(patterns(occurrences))) == occurrences


@given(postings)
def test_the_bytes_do_not_depend_on_the_order(occurrences: dict[bytes, int]) -> None:
    assert pack(patterns(occurrences)) == pack(patterns(dict(reversed(occurrences.items()))))


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | postings), max_size=20))
def test_differences_applied_to_counts_equal_a_recount(history: list[tuple[int, dict[bytes, int] | None]]) -> None:
    files: dict[int, bytes | None] = {}
    support: Counter[bytes] = Counter()
    occurrences: Counter[bytes] = Counter()
    for file, content in history:
        new = pack(patterns(content)) if content is not None else None
        for identity, delta in difference(files.get(file), new).items():
            support[identity] += delta.files
            occurrences[identity] += delta.occurrences
        files[file] = new
    recounted = [unpack(blob) for blob in files.values() if blob is not None]
    assert +support == Counter(identity for counts in recounted for identity in counts)
    assert +occurrences == sum((Counter(counts) for counts in recounted), Counter[bytes]())
    assert min(support.values(), default=0) >= 0


def test_what_did_not_change_is_not_in_the_difference() -> None:
    old = pack(patterns({IDENTITIES[0]: 1, IDENTITIES[1]: 2}))
    new = pack(patterns({IDENTITIES[0]: 1, IDENTITIES[1]: 5, IDENTITIES[2]: 1}))
    assert difference(old, new) == {IDENTITIES[1]: Delta(0, 3), IDENTITIES[2]: Delta(1, 1)}


@pytest.mark.parametrize("broken", [b"", b"\x02", b"\x01abc", b"\x01" + b"a" * 21])
def test_bytes_of_another_form_are_refused(broken: bytes) -> None:
    with pytest.raises(PermanentError, match="mine this file again"):
        unpack(broken)


def test_more_files_and_more_content_score_higher() -> None:
    rich, poor = idiom("$1 = os . path . join ( $2 , $3 )", "os", "path", "join"), idiom("if $1 is None : {…}")
    assert score(rich, 20, 100) > score(rich, 5, 100)
    assert score(rich, 20, 100) > score(poor, 20, 100)


def test_a_part_with_the_same_support_is_not_chosen_again() -> None:
    whole = Candidate(idiom("with open ( $1 ) as $2 : json . load ( $2 )", "open", "json", "load"), 10, 10)
    part = Candidate(idiom("json . load ( $1 )", "json", "load"), 10, 12)
    wider = Candidate(idiom("with open ( $1 ) as $2 : {…}", "open"), 90, 95)
    chosen = select([part, whole, wider], 100, limit=10)
    assert part not in chosen
    assert {whole, wider} <= set(chosen)


words = st.lists(st.sampled_from(["a", "b", "ab", "$1", "$2", "("]), min_size=1, max_size=6).map(" ".join)


@given(st.lists(st.tuples(words, st.integers(1, 12)), unique_by=lambda one: one[0], max_size=12))
def test_the_index_finds_what_comparing_each_with_each_finds(templates: list[tuple[str, int]]) -> None:
    known = [compared(*one) for one in templates]
    containment = Containment()
    for place, one in enumerate(known):
        redundant = any(
            min(one.files, other.files) >= 0.8 * max(one.files, other.files)
            and (one.text in other.text or other.text in one.text)
            for other in known[:place]
        )
        assert containment.makes_redundant(one) == redundant
        containment.choose(one)


def test_selection_is_limited_and_needs_support() -> None:
    many = [Candidate(idiom(f"name{number} ( $1 )", f"name{number}"), number, number) for number in range(10)]
    assert len(select(many, 10, limit=3)) == 3
    assert all(candidate.files >= 5 for candidate in select(many, 10, limit=100, min_files=5))


def test_one_family_does_not_fill_the_list() -> None:
    variants = [
        Candidate(idiom(f"re . compile ({' $1' * number} )", "re", "compile"), 50 - number, 50) for number in range(9)
    ]
    assert len(select(variants, 100, limit=9)) == 3
