"""PostgreSQL killed under running daemons: they wait for it and go on, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from shared.embedded.nats import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from tests.support.daemons import codebase, hub, in_two_files, member

HABIT = "import logging\n\nlogger = logging.getLogger(__name__)\n"
LATER = "import os\n\n\ndef here(path):\n    return os.path.join(os.getcwd(), path)\n"
LEARNED = "SELECT count(*) FROM observations"


async def test_both_daemons_outlive_their_database(
    own_nats: Callable[[], EmbeddedNats], own_postgres: Callable[[], EmbeddedPostgres], tmp_path: Path
) -> None:
    server, url = own_postgres(), own_nats().url
    server.ensure_database("central", "one")
    workspace = codebase(tmp_path / "one", in_two_files(HABIT))
    async with hub(url, server.dsn("central")) as central, member(url, server.dsn("one"), workspace) as one:
        await one.shares()
        before = await central.value(LEARNED)
        assert server.child is not None
        server.child.kill()
        await asyncio.to_thread(server.start)
        codebase(workspace, in_two_files(LATER, "later"))
        await one.shares()
        assert await central.value(LEARNED) == await one.value(LEARNED) > before
        ended = [service.name for service in (*central.services, *one.services) if not service.running]
        assert ended == []
