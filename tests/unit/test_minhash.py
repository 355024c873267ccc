from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PermanentError
from shared.minhash import BUCKET_MAX, SIGNATURE_BYTES, SLOTS, Neighbours, merge, pack, signatures, similarity, unpack

GUARD = 'if err != nil { return fmt . Errorf ( "S" , err ) }'
LOGGER = "$1 = logging . getLogger ( __name__ )"
templates = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "d", "(", ")", ".", "$1", "$2"]), max_size=12).map(" ".join),
    min_size=1,
    max_size=20,
)


@given(templates)
def test_a_signature_does_not_depend_on_its_company(texts: list[str]) -> None:
    alone = np.concatenate([signatures([text]) for text in texts])
    assert (signatures(texts) == alone).all()


def test_many_templates_are_signed_in_batches_without_a_seam() -> None:
    texts = [f"{LOGGER} {number}" for number in range(5000)]
    found = signatures(texts)
    assert (found[[0, 2500, 4999]] == signatures([texts[0], texts[2500], texts[4999]])).all()


def test_signatures_are_the_same_in_every_release() -> None:
    (signature,) = signatures([GUARD])
    assert pack(signature)[:16].hex() == "abd634048ae897046dd00908767dee00"
    assert len(pack(signature)) == SIGNATURE_BYTES
    assert (unpack(pack(signature)) == signature).all()


def test_bytes_of_another_length_are_refused() -> None:
    with pytest.raises(PermanentError, match="256 bytes, not 3"):
        unpack(b"abc")


def test_similar_templates_have_similar_signatures() -> None:
    one, same, changed, other = signatures([GUARD, GUARD, GUARD.replace("Errorf", "Sprintf"), LOGGER])
    assert similarity(one, np.stack([same, changed, other])).tolist() == [
        1.0,
        pytest.approx(0.82, abs=0.15),  # of 15 tokens and 16 pairs each, 28 are the same: 28 / 34
        pytest.approx(0.0, abs=0.1),
    ]


def test_a_token_more_or_less_often_makes_a_difference() -> None:
    one, other = signatures(["f ( a ) f ( a )", "f ( a ) f ( a ) f ( a )"])
    assert 0.4 < similarity(one, other[None])[0] < 0.9


@given(templates, templates)
def test_merging_is_commutative_idempotent_and_keeps_the_smaller(left: list[str], right: list[str]) -> None:
    one, other = signatures(left)[0], signatures(right)[0]
    assert (merge(one, other) == merge(other, one)).all()
    assert (merge(merge(one, other), one) == merge(one, other)).all()
    assert (merge(one, one) == one).all()


def test_neighbours_are_found_nearest_first() -> None:
    known = Neighbours()
    places = [known.add(signature) for signature in signatures([LOGGER, GUARD, GUARD.replace("Errorf", "Sprintf")])]
    assert places == [0, 1, 2]
    (wanted,) = signatures([GUARD])
    found = known.near(wanted, 0.5)
    assert [place for place, _ in found] == [1, 2]
    assert found[0][1] == 1.0 > found[1][1]
    assert known.near(signatures(["nothing of the kind"])[0], 0.5) == []


def test_a_crowd_of_equals_bounds_the_search() -> None:
    known = Neighbours()
    (signature,) = signatures([GUARD])
    for _ in range(BUCKET_MAX + 50):
        known.add(signature)
    assert len(known.near(signature, 1.0)) == BUCKET_MAX
    assert signature.shape == (SLOTS,)
