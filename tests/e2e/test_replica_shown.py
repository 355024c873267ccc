"""What the dashboard says of answers that come late, from a replica of the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from shared.embedded.nats import EmbeddedNats
from shared.embedded.ports import free_port
from tests.support.browser import chromium, visit
from tests.support.dashboard import status
from tests.support.real_mesh import daemon
from tests.support.streaming import Pair, streaming_pair
from tests.support.wait import eventually_sync

CHANGE = """
    async () => {
        const { get, post, url } = await import("/assets/api.js");
        await post("schedules/statistics/disable");
        const { items } = await get(url("schedules"));
        return items.find((one) => one.name === "statistics").enabled;
    }
"""


@pytest.fixture
def pair(initialised: Path) -> Iterator[Pair]:
    with streaming_pair(initialised) as made:
        made.create_database("central")
        yield made


def test_a_page_says_how_far_behind_it_may_be_and_shows_its_own_changes(
    pair: Pair, nats_server: EmbeddedNats, tmp_path: Path
) -> None:
    port = free_port(0)
    told = {
        "DATABASE_URL": pair.primary.url("central"),
        "FLOCKLORE_DATABASE_READ_URL": pair.replica.url("central"),
        "FLOCKLORE_DATABASE_READ_STALE_SECONDS": "600",
        "NATS_URL": nats_server.url,
        "PORT": str(port),
    }
    with daemon("centralcloud", told, tmp_path), chromium() as browser:
        eventually_sync(lambda: status(port, "/health") == 200, 60.0, "the replica is read")
        with visit(browser, f"http://127.0.0.1:{port}") as opened:
            opened.goto("/system")
            behind = opened.page.locator("[data-behind]")
            expect(behind).to_have_count(0)
            pair.pause()
            expect(behind).to_contain_text("behind", timeout=30_000)
            with opened.page.expect_request("**/api/v1/schedules") as asked:
                assert opened.page.evaluate(CHANGE) is False
            assert asked.value.headers["cache-control"] == "no-cache"
            pair.resume()
            expect(behind).to_have_count(0, timeout=30_000)
            assert opened.complaints == []
