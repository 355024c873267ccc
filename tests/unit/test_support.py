from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.idioms import FilePatterns
from instance.learning.support import Delta, difference, pack, unpack
from schemas.fingerprint import fingerprint
from shared.errors import PermanentError

IDENTITIES = [fingerprint("python", "statement", str(number)) for number in range(8)]
postings = st.dictionaries(st.sampled_from(IDENTITIES), st.integers(1, 1000))


def patterns(occurrences: dict[bytes, int]) -> FilePatterns:
    return FilePatterns(occurrences, {}, {})


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
