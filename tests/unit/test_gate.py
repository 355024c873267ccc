"""What may leave the machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instance.config import Sharing
from instance.store.observations import CODE, Known
from instance.sync.gate import Gate

PUBLIC = Known(
    fingerprint="a" * 32, kind=CODE, language="python", view="statement",
    template="$1 = logging . getLogger ( __name__ )",
    names=(("logging", "language"), ("getLogger", "language"), ("__name__", "language")),
    tokens=8, files=3, occurrences=3, version=0, said_files=0, said_occurrences=0,
    template_shared=False, forgotten=False,
)  # fmt: skip
IN_HOUSE = replace(
    PUBLIC, fingerprint="b" * 32, template="acme_billing . charge ( $1 )",
    names=(("acme_billing", "acme_billing"), ("charge", "acme_billing")),
)  # fmt: skip
WELL_KNOWN = replace(
    PUBLIC, fingerprint="c" * 32, template="requests . get ( $1 , timeout = # )",
    names=(("requests", "requests"), ("get", "requests"), ("timeout", "language")),
)  # fmt: skip
HUNG_ON = replace(
    PUBLIC, fingerprint="e" * 32, template="@ pytest . mark . acme_billing",
    names=(("pytest", "pytest"), ("mark", "pytest"), ("acme_billing", "pytest")),
)  # fmt: skip
SECRET = replace(PUBLIC, fingerprint="d" * 32, template='$1 = "AKIAIOSFODNN7EXAMPLE"', names=())


def gate(policy: str = "public", names: dict[str, set[str]] | None = None, known: set[str] | None = None) -> Gate:
    return Gate(Sharing(policy), names or {}, known or set())  # type: ignore[arg-type]


@pytest.mark.parametrize("pattern", [PUBLIC, WELL_KNOWN], ids=["language", "well-known package"])
def test_a_template_of_public_names_may_leave(pattern: Known) -> None:
    assert gate().lets_words_out(pattern)


def test_a_name_of_an_in_house_package_stays_although_it_is_defined_elsewhere() -> None:
    assert not gate().lets_words_out(IN_HOUSE)
    assert gate().secret_names(IN_HOUSE) == ["acme_billing", "charge"]


def test_a_name_of_ours_hung_on_a_well_known_package_stays() -> None:
    assert not gate().lets_words_out(HUNG_ON)
    assert "acme_billing" in gate().secret_names(HUNG_ON)


def test_what_several_instances_have_is_no_secret_of_ours() -> None:
    assert gate(known={IN_HOUSE.fingerprint}).lets_words_out(IN_HOUSE)
    assert gate(names={"python": {"acme_billing", "charge"}}).lets_words_out(IN_HOUSE)
    assert not gate(names={"go": {"acme_billing", "charge"}}).lets_words_out(IN_HOUSE)


def test_the_owner_decides() -> None:
    assert gate("all").lets_words_out(IN_HOUSE)
    assert not gate("never").lets_words_out(PUBLIC)


def test_a_secret_never_leaves() -> None:
    for policy in ("public", "all", "never"):
        assert not gate(policy, known={SECRET.fingerprint}).lets_words_out(SECRET)
