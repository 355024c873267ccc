"""compose.yaml without containers: its first step, its servers and its daemons, told what the file tells them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import psycopg
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from sqlalchemy import text

from mesh.identities.files import write_private
from mesh.identities.office import Office
from mesh.identities.permissions import identity, permissions
from mesh.provision.making import IDENTITIES
from schemas import subjects
from schemas.subjects import Sender
from shared.bus import settled
from shared.database import connect_engine
from shared.errors import Exit
from shared.passport import HUB
from tests.support.composed import CLIENTS, MONITOR, POSTGRES, Composed, address, passport, provisioned
from tests.support.http import Site, exchange
from tests.support.identities import connected
from tests.support.wait import eventually, eventually_sync

ANN: Final = "dev-laptop-1"
BOB: Final = "ci-runner-1"
DAEMONS: Final = ("centralcloud", ANN, BOB)
HELD: Final = "SELECT 1 FROM insights WHERE state = 'active' AND NOT undone"
TOKENS: Final = ("FLOCKLORE_HTTP_TOKEN_FILE", "FLOCKLORE_HTTP_READ_TOKEN_FILE")


@pytest.fixture(scope="module")
def composed() -> Iterator[Composed]:
    """Everything of the file but the standby, one instance and the cluster."""
    with provisioned() as one:
        one.start_nats("nats")
        one.start_postgres()
        for service in DAEMONS:
            one.start_daemon(service)
        for service in ("nats", *DAEMONS):
            one.healthy(service)
        yield one


def test_what_one_container_learns_another_knows(composed: Composed) -> None:
    for service in (ANN, BOB):
        eventually_sync(partial(composed.rows, service, HELD), 60, f"{service} knows")
    assert composed.rows("centralcloud", "SELECT instance_id FROM instances ORDER BY 1") == [(BOB,), (ANN,)]


def test_each_is_known_by_a_key_of_its_own(composed: Composed) -> None:
    known = {key: name for name, key in keys(composed).items()}
    assert {known[key] for key in connections(composed)} == {"hub", ANN, BOB}


def test_the_first_step_may_be_run_again(composed: Composed) -> None:
    before = handed_out(composed)
    done = composed.provision("--json")
    assert done.returncode == Exit.OK, done.stdout
    assert json.loads(done.stdout)["admitted"] == []
    assert handed_out(composed) == before
    assert [path for path, text in before.items() if text.strip() in done.stdout] == []


async def test_the_credentials_of_another_say_and_hear_nothing(composed: Composed) -> None:
    ann, bob = (permissions(identity("default", name, "instance")) for name in (ANN, BOB))
    says, hears = (sorted({*getattr(bob, side)} - {*getattr(ann, side)}) for side in ("publish", "subscribe"))
    as_ann, as_bob = Sender("default", ANN), Sender("default", BOB)
    own, receipt = subjects.sync(as_ann), subjects.receipt(as_bob)
    assert {subjects.heartbeat(as_bob), subjects.goodbye(as_bob)} < {*says}
    assert receipt in hears
    heard: set[str] = set()
    async with client(composed, "centralcloud", Sender(HUB, "test")) as hub, client(composed, ANN, as_ann) as one:
        for subject in (own, *(subject for subject in says if subject.startswith(("intelligence.", "system.")))):
            await hub.subscribe(subject, cb=noting(heard))
        for subject in hears:
            await one.subscribe(subject, cb=noting(heard))
        await settled(hub)
        await settled(one)
        for subject in (*says, own):
            await one.publish(subject.replace(">", "x"), b"{}")
        await hub.publish(receipt, b"{}")
        await settled(hub)
        await settled(one)
        await eventually(lambda: heard, what="its own word heard")
        await settled(hub)
    assert heard == {own}


async def test_who_shows_nothing_is_not_let_in(composed: Composed) -> None:
    nothing = passport(composed, ANN)._replace(credentials=None)
    with pytest.raises(AssertionError, match="let in not met"):
        async with connected(nothing, nats_url(composed), Sender("default", ANN), patience_seconds=0.5):
            pass


def test_a_container_with_the_credentials_of_another_ends_and_says_why(composed: Composed) -> None:
    stolen = composed.file.environment(ANN)["FLOCKLORE_NATS_CREDENTIALS"]
    done = composed.run("gpu-trainer-1", "instance", "run", FLOCKLORE_NATS_CREDENTIALS=stolen)
    assert done.returncode == Exit.CONFIGURATION, done.stdout
    assert f"is of default.{ANN}" in done.stdout


def test_a_database_is_for_its_daemon_alone(composed: Composed) -> None:
    own = "SELECT rolname::text, current_database()::text, rolsuper OR rolcreaterole FROM pg_roles"
    mine = composed.rows(ANN, f"{own} WHERE rolname = current_user")
    assert mine == [("instance_dev_laptop_1", "instance_dev_laptop_1", False)]
    for other in ("centralcloud", "instance_ci_runner_1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            composed.database(ANN, other)
    shown = json.loads(composed.run(ANN, "db", "status", "--json").stdout)
    assert [database["name"] for database in shown] == ["instance_dev_laptop_1"], "nor does it try"


@pytest.mark.parametrize(("service", "untold"), [("centralcloud", {"hub"}), (ANN, {"stream"})])
def test_the_doctor_finds_nothing_wrong_in_a_container(composed: Composed, service: str, untold: set[str]) -> None:
    said = composed.run(service, "doctor", "--json").stdout
    (line,) = (line for line in said.splitlines() if line.startswith('{"ok"'))
    levels = {finding["check"]: (finding["level"], finding["detail"]) for finding in json.loads(line)["findings"]}
    assert {name for name, (level, _) in levels.items() if level == "unknown"} == {"sync_always", *untold}
    assert {name: found for name, found in levels.items() if found[0] in {"warning", "error"}} == {}


async def test_the_dashboard_asks_for_a_token_of_the_volume(composed: Composed) -> None:
    site, tokens = Site(composed.file.port("centralcloud", 8080)), tokens_of(composed)
    shown = [f"Bearer {token}" for token in (*tokens, "x", tokens[0][:-1])]
    answers = [await site.get("/api/v1/instances", Authorization=one) for one in shown]
    assert [answer.status for answer in answers] == [200, 200, 401, 401]
    assert (await site.get("/api/v1/instances")).status == 401


def test_a_key_is_rotated_while_everything_runs(composed: Composed) -> None:
    """In containers: `run provision` with `nats rotate`, `up provision`, `kill --signal HUP nats`."""
    before = keys(composed)
    others = {key: connections(composed)[key] for key in (before["hub"], before[BOB])}
    place = f"--directory={office(composed).directory}"
    done = composed.run("provision", "nats", "rotate", ANN, place)
    assert done.returncode == Exit.OK, done.stdout
    assert composed.provision().returncode == Exit.OK
    after = keys(composed)
    assert {name for name in before if before[name] != after[name]} == {ANN}
    composed.hang_up("nats")
    eventually_sync(lambda: after[ANN] in connections(composed), 30, "back with the new key")
    assert before[ANN] not in connections(composed)
    assert {key: connections(composed)[key] for key in others} == others, "nobody else was disturbed"


async def test_a_password_in_a_file_of_libpq_is_changed_without_a_restart(composed: Composed) -> None:
    """`passfile` in the URL instead of a password: libpq reads it for every connection, if it is its owner's alone."""
    role = "instance_gpu_trainer_1"
    file = composed.file.root("postgres") / "pgpass"
    url = f"postgresql://{role}@{address(composed, 'postgres', POSTGRES)}/{role}?passfile={file}"
    engine = connect_engine(url, application="test")
    try:
        for password in ("first", "second"):
            assert composed.psql(f"--command=ALTER ROLE {role} PASSWORD '{password}'").returncode == 0
            write_private(file, f"*:*:*:{role}:{password}\n")
            async with engine.connect() as connection:
                assert await connection.scalar(text("SELECT current_user::text")) == role
            await engine.dispose()  # its connections; those it makes next read the file again
    finally:
        await engine.dispose()


@asynccontextmanager
async def client(composed: Composed, service: str, sender: Sender) -> AsyncIterator[Client]:
    """Somebody with the files of a service."""
    async with connected(passport(composed, service), nats_url(composed), sender) as one:
        yield one


def noting(heard: set[str]) -> Callable[[Msg], Awaitable[None]]:
    async def note(message: Msg) -> None:
        heard.add(message.subject)

    return note


def nats_url(composed: Composed) -> str:
    return f"tls://{address(composed, 'nats', CLIENTS)}"


def office(composed: Composed) -> Office:
    return Office(composed.file.volume("secrets") / IDENTITIES)


def keys(composed: Composed) -> dict[str, str]:
    """The public key of each name."""
    return {member.name: member.public_key for member in office(composed).registry.members}


def connections(composed: Composed) -> dict[str, int]:
    """The number of the connection that was made with each key."""
    answer = exchange(composed.file.port("nats", MONITOR), "GET", "/connz?auth=1", b"", {})
    let_in = [one for one in answer.document["connections"] if "authorized_user" in one]
    return {one["authorized_user"]: one["cid"] for one in let_in}


def tokens_of(composed: Composed) -> list[str]:
    told = composed.file.environment("centralcloud")
    return [Path(told[name]).read_text(encoding="utf-8").strip() for name in TOKENS]


def handed_out(composed: Composed) -> dict[Path, str]:
    """Every file of every volume of secrets but the locks."""
    found = (path for path in composed.file.volume("").rglob("*") if path.parts[-2].startswith("secrets"))
    return {path: path.read_text(encoding="utf-8") for path in found if path.is_file() and path.name != "lock"}
