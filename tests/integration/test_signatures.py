"""Who signed once must go on to: forged envelopes are set aside, and nothing of an honest sender is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest.arrivals import Arrival, read
from centralcloud.ingest.signatures import LETTERS_MAX, Signatures
from centralcloud.keyring import forget_key, known_keys, pin_key
from centralcloud.replay import replay
from instance.store import signing_key
from schemas import subjects
from schemas.headers import MESSAGE_ID
from schemas.subjects import Sender
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.errors import NotFoundError, UsageError
from shared.signing import Signer
from tests.support.fleet import Hub, hub, spoke
from tests.support.patterns import TOPIC, learn, scalar
from tests.support.wire import ONE, envelope, event, plain_client, send

OwnNats = Callable[[], EmbeddedNats]
MakeDatabase = Callable[[], str]

OBSERVED = "SELECT count(*) FROM observations"
LETTERS = "SELECT count(*) FROM dead_letters WHERE error LIKE 'signature: %'"
TENANT = "default"


@pytest.fixture
def server(own_nats: OwnNats) -> EmbeddedNats:
    return own_nats()


@pytest.fixture
async def central(server: EmbeddedNats, make_database: MakeDatabase) -> AsyncIterator[Hub]:
    async with hub(server.url, make_database()) as running:
        await running.receives()
        yield running


@pytest.fixture
async def client(central: Hub) -> AsyncIterator[Client]:
    async with plain_client(central.nats_url) as connected:
        yield connected


async def say(client: Client, signer: Signer, first_seq: int, number: int, sender: Sender = ONE) -> None:
    """Publish one event as an instance would that signs."""
    subject, body, message_id = subjects.learned(TOPIC, sender), envelope(first_seq, [event(number)]), str(first_seq)
    said = {MESSAGE_ID: message_id} | signer.seal(subject, message_id, body)
    await client.jetstream().publish(subject, body, headers=said)


async def key_of(engine: AsyncEngine) -> str:
    async with transaction(engine) as connection:
        signer = await signing_key.get(connection)
    assert signer is not None
    return signer.public


async def test_an_instance_signs_from_its_first_word_and_nobody_else_can_speak_for_it(
    server: EmbeddedNats, central: Hub, client: Client, make_database: MakeDatabase
) -> None:
    async with spoke(server.url, make_database(), "one") as one:
        await learn(one.engine, range(3))
        one.uplink.wake()
        await central.reaches(OBSERVED, 3)
        (known,) = await known_keys(central.engine, TENANT)
        assert (known.instance, known.public_key, known.known_by) == ("one", await key_of(one.engine), "first use")
        await send(client, envelope(4, [event(100)], (await one.standing()).epoch))
        await say(client, Signer.new(), 5, 101)
        await central.reaches(LETTERS, 2)
        await learn(one.engine, range(3, 6))
        one.uplink.wake()
        await one.confirms_all()
    assert await scalar(central.engine, OBSERVED) == 6
    assert await scalar(central.engine, "SELECT count(*) FROM forks") == 0
    assert await scalar(central.engine, "SELECT wm FROM watermarks") == 6
    (known,) = await known_keys(central.engine, TENANT)
    assert known.refused == 2
    assert refusals(central) == {"missing": 1, "another key": 1}


async def test_an_instance_that_never_signed_works_as_before(central: Hub, client: Client) -> None:
    for number in (1, 2):
        await send(client, envelope(number, [event(number)]))
    await central.reaches(OBSERVED, 2)
    assert await known_keys(central.engine, TENANT) == []
    assert await scalar(central.engine, LETTERS) == 0


async def test_a_key_is_replaced_by_one_the_old_one_vouches_for(
    server: EmbeddedNats, central: Hub, make_database: MakeDatabase
) -> None:
    async with spoke(server.url, make_database(), "one") as one:
        await learn(one.engine, [1])
        await one.confirms_all()
        for number in (2, 3):
            await rotate(one.engine)
            await rotate(one.engine)
            await learn(one.engine, [number])
            one.uplink.wake()
            await one.confirms_all()
        (known,) = await known_keys(central.engine, TENANT)
        assert (known.public_key, known.known_by) == (await key_of(one.engine), "succession")
    assert await scalar(central.engine, LETTERS) == 0


async def test_an_instance_whose_key_was_lost_waits_until_an_operator_forgets_the_old_one(
    server: EmbeddedNats, central: Hub, make_database: MakeDatabase
) -> None:
    async with spoke(server.url, make_database(), "one", resend_seconds=0.2) as one:
        await learn(one.engine, [1])
        await one.confirms_all()
        async with transaction(one.engine) as connection:
            await signing_key.replace(connection, Signer.new())
        await learn(one.engine, [2])
        one.uplink.wake()
        await central.reaches(f"SELECT ({LETTERS}) > 0", True)
        assert await scalar(central.engine, OBSERVED) == 1
        await forget_key(central.engine, TENANT, "one")
        await one.confirms_all()
        assert await scalar(central.engine, OBSERVED) == 2


async def test_a_pinned_key_is_believed_alone(central: Hub, client: Client) -> None:
    mine = Signer.new()
    await pin_key(central.engine, TENANT, "one", mine.public)
    await say(client, Signer.new(), 1, 1)
    await say(client, mine, 2, 2)
    await central.reaches(OBSERVED, 1)
    (known,) = await known_keys(central.engine, TENANT)
    assert (known.known_by, known.refused) == ("operator", 1)


async def test_keys_are_pinned_and_forgotten_only_where_that_makes_sense(central: Hub) -> None:
    with pytest.raises(UsageError, match="public key"):
        await pin_key(central.engine, TENANT, "one", "UABC")
    with pytest.raises(UsageError, match="cannot be an instance"):
        await pin_key(central.engine, TENANT, "*", Signer.new().public)
    with pytest.raises(NotFoundError, match="keys list"):
        await forget_key(central.engine, TENANT, "one")


async def test_a_letter_that_was_refused_can_be_taken_in_by_an_operator(central: Hub, client: Client) -> None:
    await pin_key(central.engine, TENANT, "one", Signer.new().public)
    await send(client, envelope(1, [event(1)]))
    await central.reaches(LETTERS, 1)
    letter = int(str(await scalar(central.engine, "SELECT id FROM dead_letters")))
    await replay(central.engine, letter)
    assert await scalar(central.engine, OBSERVED) == 1
    assert (await known_keys(central.engine, TENANT))[0].refused == 0


async def test_only_so_many_letters_of_one_name_are_kept(central: Hub, client: Client) -> None:
    mine = Signer.new()
    await pin_key(central.engine, TENANT, "one", mine.public)
    for number in range(1, LETTERS_MAX + 20):
        await send(client, envelope(number, [event(number)]))
    await say(client, mine, 1, 1)
    await central.reaches(OBSERVED, 1)
    assert await scalar(central.engine, LETTERS) == LETTERS_MAX
    assert refusals(central) == {"missing": LETTERS_MAX + 19}


async def test_two_hubs_that_hear_two_first_keys_at_once_know_one_of_them(central: Hub) -> None:
    async def hears(signer: Signer) -> int:
        taken, letters = await Signatures(central.engine, central.metrics, "known").sift([arrival(signer)])
        assert len(taken) + len(letters) == 1
        return len(taken)

    signers = [Signer.new() for _ in range(8)]
    assert sum(await asyncio.gather(*map(hears, signers))) == 1
    (known,) = await known_keys(central.engine, TENANT)
    assert known.public_key in {signer.public for signer in signers}


async def test_where_signatures_are_off_nobody_looks_at_them(central: Hub) -> None:
    await pin_key(central.engine, TENANT, "one", Signer.new().public)
    forged = arrival(Signer.new())
    assert await Signatures(central.engine, central.metrics, "off").sift([forged]) == ([forged], [])


def arrival(signer: Signer) -> Arrival:
    subject, body = subjects.learned(TOPIC, ONE), envelope(1, [event(1)])
    found = read(subject, body, {MESSAGE_ID: "id"} | signer.seal(subject, "id", body))
    assert isinstance(found, Arrival)
    return found


def refusals(central: Hub) -> dict[str, int]:
    """How many envelopes were refused, by reason."""
    return {
        sample.labels["reason"]: int(sample.value)
        for family in central.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "flocklore_signatures_refused_total" and sample.value
    }


async def rotate(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        signer = await signing_key.get(connection, for_update=True)
        assert signer is not None
        await signing_key.replace(connection, signer.followed(ONE))
