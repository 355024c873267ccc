"""Databases that were restored, lost or cloned, and daemons that share a name: what is known is said again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import psycopg
import pytest

from instance.config import Sharing
from instance.store import outbox, workspace
from instance.store.workspace import Repository
from instance.sync.announce import announce, open_gate
from instance.sync.choice import Limits
from instance.sync.snapshot import begin_epoch
from schemas import subjects
from schemas.codec import encode
from schemas.subjects import Sender
from schemas.sync import Goodbye
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.errors import AlreadyRunningError
from tests.support.databases import copy_database
from tests.support.fleet import Hub, Spoke, hub, spoke
from tests.support.patterns import fingerprint, learn, scalar
from tests.support.wait import eventually
from tests.support.wire import envelope, event, plain_client, send

MakeDatabase = Callable[[], str]

OBSERVED = "SELECT count(*) FROM observations"
FILES = "SELECT sum(files) FROM observations"
FORKS = "SELECT count(*) FROM forks"


@pytest.fixture
def url(own_nats: Callable[[], EmbeddedNats]) -> str:
    return own_nats().url


async def test_another_event_in_the_same_place_is_set_aside_and_the_instance_rotates(
    url: str, make_database: MakeDatabase
) -> None:
    async with both(url, make_database(), make_database()) as (central, one), plain_client(url) as clone:
        await learn(one.engine, range(5))
        epoch = (await one.confirms_all()).epoch
        await send(
            clone, envelope(2, [event(number, files=9) for number in range(50, 53)], epoch), signer=await one.signer()
        )
        await one.rotates()
        await one.confirms_all()
        assert await scalar(central.engine, FORKS) == 1
        assert await scalar(central.engine, OBSERVED) == 5
        assert await scalar(central.engine, FILES) == 15
        assert central.counted("forks") == 1


async def test_what_a_clone_said_further_on_is_void_once_the_instance_said_everything_again(
    url: str, make_database: MakeDatabase
) -> None:
    async with both(url, make_database(), make_database()) as (central, one), plain_client(url) as clone:
        await learn(one.engine, range(5))
        epoch = (await one.confirms_all()).epoch
        await send(
            clone, envelope(6, [event(50, files=9), event(1, files=9, version=7)], epoch), signer=await one.signer()
        )
        await one.rotates()
        await one.confirms_all()
        assert await scalar(central.engine, OBSERVED) == 5
        assert await scalar(central.engine, FILES) == 15


async def test_what_a_clone_said_beyond_a_gap_is_noticed_too(url: str, make_database: MakeDatabase) -> None:
    async with both(url, make_database(), make_database()) as (central, one), plain_client(url) as clone:
        await learn(one.engine, range(5))
        epoch = (await one.confirms_all()).epoch
        await send(clone, envelope(9, [event(50)], epoch), signer=await one.signer())
        await one.rotates()
        await one.confirms_all()
        assert await scalar(central.engine, OBSERVED) == 5


async def test_an_instance_restored_from_a_backup_says_what_it_knows_now(url: str, make_database: MakeDatabase) -> None:
    central_url, own_url, backup_url = make_database(), make_database(), make_database()
    async with hub(url, central_url, suspect_seconds=0.01) as central:
        async with spoke(url, own_url, "one") as one:
            await learn(one.engine, range(5))
            await one.confirms_all()
        copy_database(own_url, backup_url)
        async with spoke(url, own_url, "one") as one:
            await learn(one.engine, range(3, 10), files=7)
            await one.confirms_all()
        await central.reaches(OBSERVED, 10)
        copy_database(backup_url, own_url)
        async with spoke(url, own_url, "one") as one:
            await one.rotates()
            await learn(one.engine, [20])
            await one.confirms_all()
        await central.reaches(OBSERVED, 6)
        await central.reaches(FILES, 18)


async def test_a_hub_restored_from_a_backup_is_told_again_at_once(url: str, make_database: MakeDatabase) -> None:
    central_url, backup_url = make_database(), make_database()
    async with spoke(url, make_database(), "one", resend_seconds=60) as one:
        async with hub(url, central_url):
            await learn(one.engine, range(5))
            await one.confirms_all()
        copy_database(central_url, backup_url)
        async with hub(url, central_url):
            await learn(one.engine, range(3, 10), files=7)
            await one.confirms_all()
        copy_database(backup_url, central_url)
        # Within the time JetStream remembers ids: under the ids of the first sending it would swallow these.
        async with hub(url, central_url) as central:
            await central.reaches(OBSERVED, 10)
            await central.reaches(FILES, 3 * 3 + 7 * 7)
            assert (await one.confirms_all()).rotations == 0


async def test_an_empty_hub_is_told_everything(url: str, make_database: MakeDatabase) -> None:
    async with spoke(url, make_database(), "one", resend_seconds=60) as one:
        async with hub(url, make_database()):
            await learn(one.engine, range(5))
            await learn(one.engine, [4], files=0)
            await one.confirms_all()
        async with hub(url, make_database()) as central:
            await central.reaches("SELECT count(*) FROM observations WHERE NOT forgotten", 4)


async def test_an_empty_hub_is_told_everything_though_the_events_are_no_longer_kept(
    url: str, make_database: MakeDatabase
) -> None:
    async with spoke(url, make_database(), "one") as one:
        async with hub(url, make_database()):
            await learn(one.engine, range(5))
            await one.confirms_all()
        await _prune_confirmed(one)
        async with hub(url, make_database()) as central:
            await one.rotates()
            await central.reaches(FILES, 15)


async def test_a_clone_takes_over_and_the_last_holder_is_right(url: str, make_database: MakeDatabase) -> None:
    own_url, clone_url = make_database(), make_database()
    async with hub(url, make_database(), suspect_seconds=0.01) as central:
        async with spoke(url, own_url, "one") as one:
            await learn(one.engine, range(5))
            await one.confirms_all()
        copy_database(own_url, clone_url)
        async with spoke(url, clone_url, "one") as clone:
            await learn(clone.engine, range(3, 20), files=9)
            await clone.confirms_all()
        await central.reaches(OBSERVED, 20)
        async with spoke(url, own_url, "one") as one:
            await learn(one.engine, [30])
            await one.rotates()
            await one.confirms_all()
        await central.reaches(OBSERVED, 6)
        async with spoke(url, clone_url, "one") as clone:
            await clone.rotates()
            await clone.confirms_all()
        await central.reaches(OBSERVED, 20)
        await central.reaches(FILES, 3 * 3 + 17 * 9)


async def test_a_clone_beside_the_living_original_is_kept_out_and_a_restart_is_not(
    url: str, make_database: MakeDatabase
) -> None:
    own_url, clone_url = make_database(), make_database()
    async with hub(url, make_database(), silence_seconds=1.5) as central:
        async with spoke(url, own_url, "one", sync_seconds=0.3) as one:
            await eventually(one.uplink.admitted.is_set, what="the original is admitted")
            copy_database(own_url, clone_url)
            with psycopg.connect(clone_url) as connection:
                connection.execute("TRUNCATE distributed_locks")  # as if it had expired on the way to another machine
            async with spoke(url, clone_url, "one", sync_seconds=0.3) as clone:
                asked_long_enough = "SELECT clock_timestamp() > created_at + interval '4 s' FROM instance_registry"
                await central.reaches(asked_long_enough, True)
                assert not clone.uplink.admitted.is_set()
            assert await scalar(central.engine, "SELECT holder FROM instance_registry") == one.identity.holder
        async with spoke(url, own_url, "one") as restarted:  # without a goodbye, as after kill -9
            await eventually(restarted.uplink.admitted.is_set, what="the restart is admitted")


async def test_a_second_daemon_on_another_database_is_refused_while_the_first_lives(
    url: str, make_database: MakeDatabase
) -> None:
    async with both(url, make_database(), make_database()) as (central, one):
        await eventually(one.uplink.admitted.is_set, what="the first is admitted")
        async with spoke(url, make_database(), "one") as second:
            with pytest.raises(AlreadyRunningError, match="choose another INSTANCE_ID"):
                await second.receipts.wait()
            assert not second.uplink.admitted.is_set()
        assert await scalar(central.engine, "SELECT holder FROM instance_registry") == one.identity.holder


async def test_a_second_daemon_is_accepted_after_a_goodbye(url: str, make_database: MakeDatabase) -> None:
    async with hub(url, make_database()) as central, plain_client(url) as client:
        async with spoke(url, make_database(), "one") as one:
            await eventually(one.uplink.admitted.is_set, what="the first is admitted")
        word = Goodbye(time=datetime.now(UTC), holder=one.identity.holder)
        await client.publish(subjects.goodbye(Sender("default", "one")), encode(word))
        await central.reaches("SELECT status FROM instance_registry", "offline")
        async with spoke(url, make_database(), "one") as second:
            await eventually(second.uplink.admitted.is_set, what="the second is admitted")


async def test_a_second_daemon_is_accepted_after_silence(url: str, make_database: MakeDatabase) -> None:
    async with hub(url, make_database(), suspect_seconds=0.01):
        async with spoke(url, make_database(), "one") as one:
            await eventually(one.uplink.admitted.is_set, what="the first is admitted")
        async with spoke(url, make_database(), "one") as second:
            await eventually(second.uplink.admitted.is_set, what="the second is admitted")


async def test_a_daemon_that_was_killed_twice_in_a_row_is_no_stranger(url: str, make_database: MakeDatabase) -> None:
    own_url, nowhere = make_database(), "nats://127.0.0.1:9"
    async with hub(url, make_database()):
        async with spoke(url, own_url, "one") as one:
            await eventually(one.uplink.admitted.is_set, what="the first is admitted")
        async with spoke(nowhere, own_url, "one"):
            pass  # gone before centralcloud heard of it
        async with spoke(url, own_url, "one") as one:
            await eventually(one.uplink.admitted.is_set, timeout_seconds=3, what="the third is admitted")


async def test_a_second_daemon_on_the_same_database_is_refused(url: str, make_database: MakeDatabase) -> None:
    own_url = make_database()
    async with spoke(url, own_url, "one") as one:
        holder = one.identity.holder
        with pytest.raises(AlreadyRunningError, match="is held by process"):
            async with spoke(url, own_url, "one"):
                pass
        assert await scalar(one.engine, "SELECT holder FROM identity") == holder


async def test_what_changes_while_an_epoch_begins_gets_a_version_of_its_own(
    url: str, make_database: MakeDatabase
) -> None:
    async with both(url, make_database(), make_database()) as (central, one):
        await learn(one.engine, [1])
        await one.confirms_all()
        async with transaction(one.engine) as connection:
            (place,) = await workspace.repositories(connection)
            await workspace.change_counts(connection, place, {fingerprint(1): (5, 10)}, {})
        async with transaction(one.engine) as connection:
            await begin_epoch(connection, Sharing())
            async with transaction(one.engine) as other:
                await workspace.change_counts(other, place, {fingerprint(1): (1, 2)}, {})
            announcing = asyncio.create_task(_announce(one, place))
            await eventually(lambda: _somebody_waits(one), what="the announcement waits")
        assert await announcing == 1
        await one.confirms_all()
        await central.reaches("SELECT (version, files) = (3, 9) FROM observations", True)


@asynccontextmanager
async def both(url: str, central_url: str, own_url: str) -> AsyncIterator[tuple[Hub, Spoke]]:
    async with hub(url, central_url) as central, spoke(url, own_url, "one") as one:
        yield central, one


async def _prune_confirmed(one: Spoke) -> None:
    """As if centralcloud had made a backup of everything."""
    async with transaction(one.engine) as connection:
        assert await outbox.prune(connection, durable_wm=(await outbox.get(connection)).head) > 0


async def _announce(one: Spoke, place: Repository) -> int:
    async with transaction(one.engine) as connection:
        gate = await open_gate(connection, Sharing())
        said = await announce(connection, place, gate, Limits(files_min=1, patterns_max=10), sharing=True)
    return len(said.rows)


async def _somebody_waits(one: Spoke) -> bool:
    return await scalar(one.engine, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)") is True
