"""The lead goes on when the leader is killed or frozen, and what the old one writes is refused: real processes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import centralcloud.store
from shared.embedded.nats import EmbeddedNats
from shared.migrations import upgrade
from tests.support.hubs import WRITTEN_TOO_LATE, Hubs, hubs
from tests.support.processes import line
from tests.support.wait import eventually_sync

ENDED = "SELECT string_agg(ended, ',' ORDER BY epoch) FROM lock_history WHERE lock_name = 'orchestrator:leader'"
QUICK = {"FLOCKLORE_LEADERSHIP_TTL_SECONDS": "1.5", "FLOCKLORE_LEADERSHIP_CHECK_SECONDS": "0.3"}


@pytest.fixture
def running(database_url: str) -> Iterator[Hubs]:
    upgrade(database_url, centralcloud.store.MIGRATIONS)
    with hubs(database_url) as processes:
        yield processes


def test_a_leader_frozen_past_its_time_writes_nothing_when_it_wakes_up(running: Hubs) -> None:
    running.start_writer("one", ttl_seconds=1.5, check_seconds=0.3)
    assert line(running.processes["one"]) == "ready"
    running.start_writer("other", ttl_seconds=1.5, check_seconds=0.3)
    assert line(running.processes["other"]) == "ready"
    running.writes("one", 10)
    running.signal("one", signal.SIGSTOP)
    running.leads("other")
    running.writes("other", 10)
    running.signal("one", signal.SIGCONT)
    assert line(running.processes["one"]).startswith("refused")
    running.writes("other", 10)
    assert running.rows(WRITTEN_TOO_LATE) == []
    running.kill("other")
    running.leads("one")
    eventually_sync(lambda: running.rows(ENDED) == [("expired,expired",)])


def test_of_two_hubs_the_standby_takes_over_from_a_killed_one_and_both_stop_in_order(
    running: Hubs, own_nats: Callable[[], EmbeddedNats], tmp_path: Path
) -> None:
    nats = {"NATS_URL": own_nats().url, **QUICK}
    running.start_hub("standby", tmp_path, nats | {"ORCHESTRATOR_ROLE": "standby"})
    running.start_hub("primary", tmp_path, nats | {"ORCHESTRATOR_ROLE": "primary"})
    first = running.leads("primary", "standby")
    other = {"primary": "standby", "standby": "primary"}[first]
    running.kill(first)
    running.leads(other, timeout_seconds=5)
    running.start_hub(first, tmp_path, nats)
    for name in (first, other):
        running.signal(name, signal.SIGTERM)
    for name in (first, other):
        assert running.processes[name].wait(10) == 0
    assert running.rows("SELECT count(*) FROM distributed_locks") == [(0,)]
    assert running.rows(ENDED)[0][0] in ("expired,released", "expired,released,released")
