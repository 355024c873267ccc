"""Commands that say where tenants belong, on a real central database; and the same over HTTP."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import msgspec
import pytest

from centralcloud.cli import centralcloud
from shared.commandline import run
from shared.errors import Exit
from shared.web.guard import Guard
from tests.support.api import api
from tests.support.databases import central_engine
from tests.support.regional import pinned


@pytest.fixture
def hub(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty central database of the region `us`."""

    async def prepare() -> None:
        async with central_engine(database_url):
            pass

    asyncio.run(prepare())
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("FLOCKLORE_REGION", "us")
    return database_url


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """Exit code and JSON of a command below `centralcloud tenants`."""
    code = run(centralcloud, ["tenants", *arguments, "--json"], "centralcloud")
    said = capsys.readouterr().out
    return code, msgspec.json.decode(said) if said else None


@pytest.mark.usefixtures("hub")
def test_a_tenant_is_pinned_looked_at_and_let_go(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = command(capsys, "pin", "acme", "--region", "eu", "--fallback", "us")
    assert (code, found["changed"], found["fallbacks"]) == (Exit.OK, True, ["us"])
    assert command(capsys, "pin", "acme", "--region", "eu", "--fallback", "us")[1]["changed"] is False
    (listed,) = command(capsys, "regions")[1]["pinned"]
    assert (listed["tenant"], listed["primary"], listed["fallbacks"]) == ("acme", "eu", ["us"])
    where = command(capsys, "where", "acme")[1]
    assert (where["serving"], where["admitted"], where["leaves"]) == ("us", True, False)
    assert where["reasons"] == ["pinned to eu, then us", "eu: never heard here: away", "us: this hub: alive -> us"]
    assert command(capsys, "unpin", "acme")[1] == {"tenant": "acme", "changed": True}
    assert command(capsys, "unpin", "acme")[1]["changed"] is False
    assert command(capsys, "where", "acme")[1]["pinned"] is False


@pytest.mark.usefixtures("hub")
def test_people_read_lines(capsys: pytest.CaptureFixture[str]) -> None:
    run(centralcloud, ["tenants", "pin", "acme", "--region", "eu"], "centralcloud")
    run(centralcloud, ["tenants", "where", "acme"], "centralcloud")
    run(centralcloud, ["tenants", "regions"], "centralcloud")
    said = capsys.readouterr().out
    assert "acme is pinned to eu\n" in said
    assert "its instances keep what they learn\nacme is served by no region" in said


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    "arguments",
    [
        ("pin", "*", "--region", "eu"),
        ("pin", "acme", "--region", ""),
        ("pin", "acme", "--region", "eu\n"),
        ("pin", "acme", "--region", "x" * 64),
        ("pin", "acme", "--region", "eu", "--fallback", "eu"),
        ("pin", "acme", "--region", "eu", "--fallback", "us", "--fallback", "us"),
        ("pin", "acme"),
    ],
)
def test_what_is_no_pin_is_refused(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert command(capsys, *arguments)[0] == Exit.USAGE
    assert command(capsys, "regions")[1]["pinned"] == []


async def test_a_tenant_may_ask_where_it_belongs_and_not_where_others_do(database_url: str) -> None:
    guard = Guard(token="operator", tenant_tokens={"acme": "mine"}, requests_per_second=10_000)
    async with api(database_url, guard=guard) as shown:
        await pinned(shown.engine, "eu", tenant="acme")
        await pinned(shown.engine, "us", tenant="other")
        mine = await shown.site.get("/api/v1/region", Authorization="Bearer mine")
        assert (mine.status, mine.document["primary"], mine.document["admitted"]) == (HTTPStatus.OK, "eu", False)
        foreign = await shown.site.get("/api/v1/region?tenant=other", Authorization="Bearer mine")
        assert foreign.status == HTTPStatus.FORBIDDEN
        asked = await shown.site.get("/api/v1/region?tenant=other", Authorization="Bearer operator")
        assert asked.document["primary"] == "us"
