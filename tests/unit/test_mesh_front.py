from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.front import Front
from shared.config import Settings
from shared.embedded.ports import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


def test_the_port_that_was_asked_for_comes_first_and_is_used_again(tmp_path: Path) -> None:
    wanted = free_port(29_080)
    assert Front(tmp_path, Settings(http_port=wanted)).choose() == wanted
    later = Front(tmp_path, Settings())
    assert later.url is None
    assert later.choose() == wanted
    assert later.url == f"http://127.0.0.1:{wanted}"


def test_a_port_that_is_taken_is_passed_over(tmp_path: Path, taken: int) -> None:
    assert Front(tmp_path, Settings(http_port=taken)).choose() > taken


def test_what_is_remembered_may_be_broken(tmp_path: Path) -> None:
    (tmp_path / "http.json").write_text("[]")
    assert Front(tmp_path, Settings(http_port=None)).choose() >= 8080


@pytest.mark.parametrize(
    ("host", "shown"),
    [("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("hub.example.org", "hub.example.org")],
)
def test_the_address_is_one_to_open(tmp_path: Path, host: str, shown: str) -> None:
    front = Front(tmp_path, Settings(http_host=host))
    port = front.choose()
    assert front.url == f"http://{shown}:{port}"
