"""Who may ask, and how often."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config import Settings, masked
from shared.errors import ConfigurationError
from shared.web.endpoint import Access
from shared.web.guard import CLIENTS_MAX, Buckets, Guard, guard_of
from shared.web.refusal import RefusedError

LOCAL = "127.0.0.1"
OUTSIDE = "192.0.2.7"


def scope(client: str = LOCAL, method: str = "GET", **headers: str) -> Any:
    told = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http", "method": method, "client": (client, 5), "headers": told}


def status(guard: Guard, asked: Any, access: Access = Access.READ) -> int:
    """What it is refused with; 0: it is not."""
    try:
        guard.check_host(asked)
        guard.admit(asked, access)
    except RefusedError as refused:
        return refused.status
    return 0


@pytest.mark.parametrize(
    ("host", "refused"),
    [
        ("localhost", 0), ("LOCALHOST:8080", 0), ("127.0.0.1:8080", 0), ("[::1]:8080", 0), ("[::1]", 0),
        ("192.0.2.7", 0), ("10.0.0.1:80", 0), ("[2001:db8::1]:80", 0),
        ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("localhost.evil.example:8080", 421),
        ("", 421), ("localhost:x", 421), ("127.1", 421), ("[evil.example]", 421), ("localhost@evil.example", 421),
    ],
)  # fmt: skip
def test_a_name_pointed_at_this_machine_is_refused(host: str, refused: int) -> None:
    assert status(Guard(), scope(host=host)) == refused


def test_a_further_name_is_answered_to() -> None:
    guard = Guard(token="secret", names=(name for name in ["hub.example.org"]))
    assert status(guard, scope(host="HUB.example.org", authorization="Bearer secret")) == 0
    assert status(guard, scope(host="other.example.org", authorization="Bearer secret")) == 421


@pytest.mark.parametrize(
    ("origin", "refused"),
    [
        ("http://localhost:8080", 0), ("https://hub.example.org", 0), ("https://hub.example.org:8443", 0),
        ("http://localhost:3000", 403), ("https://evil.example", 403), ("null", 403), ("", 403),
    ],
)  # fmt: skip
def test_a_page_of_another_site_changes_nothing(origin: str, refused: int) -> None:
    guard = Guard(token="secret", names=["hub.example.org"])
    told = {"host": "localhost:8080", "origin": origin, "authorization": "Bearer secret"}
    assert status(guard, scope(method="POST", **told), Access.WRITE) == refused
    assert status(guard, scope(method="GET", **told)) == 0


def test_without_a_token_this_machine_may_do_everything_and_nobody_else_anything() -> None:
    guard = Guard()
    for access in Access:
        assert status(guard, scope(host="localhost"), access) == 0
        assert status(guard, scope("::1", host="localhost"), access) == 0
        assert status(guard, scope("::ffff:127.0.0.1", host="localhost"), access) == 0
    for client in (OUTSIDE, "", "unix"):
        assert status(guard, scope(client, host="localhost")) == 401
        assert status(guard, scope(client, host="localhost"), Access.OPEN) == 0


@pytest.mark.parametrize(
    ("said", "read", "write"),
    [
        ("Bearer all", 0, 0), ("bearer  all", 0, 0), ("Bearer some", 0, 403), ("Bearer al", 401, 401),
        ("Bearer all2", 401, 401), ("Basic all", 401, 401), ("all", 401, 401), ("", 401, 401), ("Bearer ", 401, 401),
        ("Bearer \xe4\xf6", 401, 401),
    ],
)  # fmt: skip
def test_a_token_says_what_one_may(said: str, read: int, write: int) -> None:
    guard = Guard(token="all", read_token="some")
    for client in (LOCAL, OUTSIDE):
        asked = scope(client, host="localhost", authorization=said)
        assert (status(guard, asked), status(guard, asked, Access.WRITE)) == (read, write)
        assert status(guard, asked, Access.OPEN) == 0


def test_a_bucket_fills_again() -> None:
    now = [100.0]
    buckets = Buckets(10.0, lambda: now[0])
    assert [buckets.take("a") for _ in range(20)] == [0.0] * 20
    assert buckets.take("a") == pytest.approx(0.1)
    assert buckets.take("b") == 0.0, "each has its own"
    now[0] += 0.11
    assert buckets.take("a") == 0.0
    assert buckets.take("a") > 0
    now[0] += 3600
    assert [buckets.take("a") for _ in range(20)] == [0.0] * 20
    assert buckets.take("a") > 0, "it is never fuller than full"


@given(st.lists(st.floats(0, 5), max_size=60), st.floats(0.5, 50))
def test_nobody_gets_more_than_the_rate_and_one_burst(pauses: list[float], per_second: float) -> None:
    now = [0.0]
    buckets = Buckets(per_second, lambda: now[0])
    taken = 0
    for pause in pauses:
        now[0] += pause
        taken += buckets.take("a") == 0.0
    assert taken <= max(1.0, 2 * per_second) + now[0] * per_second + 1e-6


def test_what_is_remembered_of_clients_is_bounded() -> None:
    buckets = Buckets(1.0, lambda: 0.0)
    for number in range(CLIENTS_MAX + 10):
        buckets.take(str(number))
    assert len(buckets._left) == CLIENTS_MAX  # noqa: SLF001 - it is seen from outside only as memory


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    guard = Guard(requests_per_second=0.2)
    assert status(guard, scope(host="localhost")) == 0
    with pytest.raises(RefusedError) as refused:
        guard.admit(scope(host="localhost"), Access.READ)
    assert (refused.value.status, refused.value.body.retry_after_seconds) == (429, 5)
    assert status(guard, scope(host="localhost"), Access.OPEN) == 0, "health is told however often it is asked for"


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (Settings(http_host="0.0.0.0"), "http_host"),
        (Settings(http_host="::"), "http_host"),
        (Settings(http_host="hub.example.org"), "http_host"),
        (Settings(http_names="hub.example.org"), "http_names"),
        (Settings(http_read_token="some"), "http_read_token"),
    ],
)
def test_settings_that_leave_a_door_open_are_refused(settings: Settings, key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{key}: .*http_token"):
        guard_of(settings)


def test_settings_become_a_guard() -> None:
    guard_of(Settings())
    guard_of(Settings(http_host="localhost"))
    guard = guard_of(Settings(http_host="0.0.0.0", http_token="all", http_names="a.example, b.example"))
    assert status(guard, scope(OUTSIDE, host="b.example", authorization="Bearer all"), Access.WRITE) == 0


def test_tokens_are_not_shown() -> None:
    assert masked("http_token", "secret") == "***"
    assert masked("http_read_token", None) == ""
    assert "secret" not in masked("ingest_tokens", {"desk": "secret"})
