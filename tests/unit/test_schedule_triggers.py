"""Nominal times: the same whoever counts, and whenever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.triggers import Cron, Every, Trigger, fraction

TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
TRIGGERS = st.one_of(
    st.floats(0.1, 1e7).map(Every),
    st.sampled_from(["* * * * *", "*/7 * * * *", "30 2 * * *", "0 0 * * mon", "15 4 1 * *", "0 12 29 2 *"]).map(Cron),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(TRIGGERS, TIMES)
def test_the_latest_is_the_last_before_the_following(trigger: Trigger, now: datetime) -> None:
    latest, following = trigger.latest(now), trigger.following(now)
    assert latest is not None
    assert following is not None
    assert latest <= now < following
    assert trigger.following(latest) == following
    assert trigger.latest(following) == following
    assert trigger.latest(following - timedelta(microseconds=1)) == latest


@pytest.mark.parametrize(
    ("trigger", "latest", "following"),
    [
        (Every(3600), "2026-03-01T11:00", "2026-03-01T12:00"),
        (Every(7 * 86_400), "2026-02-26T00:00", "2026-03-05T00:00"),
        (Cron("0 2 * * *"), "2026-03-01T02:00", "2026-03-02T02:00"),
        (Cron("0 0 29 2 *"), "2024-02-29T00:00", "2028-02-29T00:00"),
        (Cron("30 11 1 * *"), "2026-03-01T11:30", "2026-04-01T11:30"),
    ],
    ids=str,
)
def test_times(trigger: Trigger, latest: str, following: str) -> None:
    now = at("2026-03-01T11:30")
    assert (trigger.latest(now), trigger.following(now)) == (at(latest), at(following))


@pytest.mark.parametrize("line", ["0 0 30 2 *", "0 25 * * *", "hourly", ""])
def test_a_line_that_never_comes_or_is_none_is_refused(line: str) -> None:
    with pytest.raises(ConfigurationError, match="no cron line"):
        Cron(line)


@given(st.text(), st.text())
def test_a_place_in_the_interval_is_always_the_same(name: str, database: str) -> None:
    assert 0 <= fraction(name, database) < 1
    assert fraction(name, database) == fraction(name, database)


def test_places_differ_by_name_and_by_database() -> None:
    assert len({fraction("cleanup", f"database {number}") for number in range(100)}) == 100
