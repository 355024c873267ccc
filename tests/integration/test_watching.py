"""`flocklore status --watch` against the API it reads."""

from __future__ import annotations

import asyncio
import io

import pytest
from rich.console import Console
from sqlalchemy import text

from mesh.watch import drawn, look
from shared.database import transaction
from shared.errors import ContractError, UnreachableError
from shared.web.guard import Guard
from tests.support.api import api


async def test_a_picture_shows_who_learns(database_url: str) -> None:
    guard = Guard(token="operator", read_token="reader", requests_per_second=10_000)
    async with api(database_url, guard=guard) as shown:
        url = f"http://127.0.0.1:{shown.site.port}"
        async with transaction(shown.engine) as connection:
            await connection.execute(
                text(
                    "INSERT INTO instance_registry (tenant, instance_id, status, holder)"
                    " VALUES ('default', :name, 'online', 'me')"
                ),
                {"name": "ann"},
            )
        picture = await asyncio.to_thread(look, url, "default", "reader")
        with pytest.raises(ContractError, match="401"):
            await asyncio.to_thread(look, url, "default", "nobody")
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(drawn(picture))
    lines = console.export_text()
    assert "1 online" in lines
    assert any("ann" in line and "online" in line for line in lines.splitlines())
    assert "nobody leads" in lines
    with pytest.raises(UnreachableError, match="does not answer"):
        await asyncio.to_thread(look, url, "default", "reader")
