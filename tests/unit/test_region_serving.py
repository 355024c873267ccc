"""Which region serves a tenant, as a pure function of its pin and of who is heard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from centralcloud.region.serving import SILENT_SECONDS_MAX, serving
from centralcloud.store.pins import Pin

EU = Pin(tenant="acme", primary="eu", fallbacks=("us", "ap"))
REGIONS = ["eu", "us", "ap", "sa", ""]


def test_the_primary_serves_while_it_is_heard() -> None:
    found = serving(EU, "us", {"eu": 2.4})
    assert found == ("eu", ("pinned to eu, then us, then ap", "eu: last heard 2 s ago: alive -> eu"))


def test_a_fallback_serves_when_the_primary_is_silent() -> None:
    found = serving(EU, "sa", {"eu": 400.0, "us": 59.9})
    assert found.region == "us"
    assert found.reasons[1:] == ("eu: last heard 400 s ago: away", "us: last heard 60 s ago: alive -> us")


def test_the_hub_that_is_asked_is_alive() -> None:
    assert serving(EU, "eu", {"us": 1.0}).region == "eu"
    assert serving(EU, "ap", {"eu": 61.0, "us": 61.0}).region == "ap"


def test_nobody_serves_who_may_not() -> None:
    found = serving(EU, "sa", {"sa": 0.0, "eu": SILENT_SECONDS_MAX})
    assert found.region == ""
    assert found.reasons[1] == "eu: last heard 60 s ago: away"
    assert found.reasons[2] == "us: never heard here: away"
    assert "keep what they learn" in found.reasons[-1]


def test_a_tenant_that_is_not_pinned_is_served_where_it_asks() -> None:
    assert serving(None, "eu", {"us": 0.0}).region == "eu"
    assert serving(None, "", {}).region == ""


@given(
    st.lists(st.sampled_from(REGIONS[:4]), min_size=1, max_size=4, unique=True),
    st.sampled_from(REGIONS),
    st.dictionaries(st.sampled_from(REGIONS[:4]), st.floats(0, 200, allow_nan=False)),
)
def test_it_is_the_first_that_may_and_lives(regions: list[str], own: str, silences: dict[str, float]) -> None:
    alive = [one for one in regions if one == own or silences.get(one, SILENT_SECONDS_MAX) < SILENT_SECONDS_MAX]
    found = serving(Pin(tenant="acme", primary=regions[0], fallbacks=tuple(regions[1:])), own, silences)
    assert found.region == (alive[0] if alive else "")
    assert len(found.reasons) == 1 + (regions.index(alive[0]) + 1 if alive else len(regions) + 1)
