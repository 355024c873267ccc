"""A mesh worth looking at: centralcloud and instances as processes, and what happens between them."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from schemas.codec import encode
from schemas.events import CodePatternLearned, ResultsLearned
from schemas.fingerprint import fingerprint
from schemas.results import ResultSums, Sketch
from schemas.subjects import Sender, learned
from shared.embedded.nats import EmbeddedNats
from shared.embedded.ports import free_port
from shared.embedded.postgres import EmbeddedPostgres
from tests.support.daemons import in_two_files
from tests.support.patterns import TOPIC, repository_key
from tests.support.real_mesh import daemon
from tests.support.servers import Databases, scratch_directory
from tests.support.wait import eventually_sync
from tests.support.wire import envelope, plain_client

LANGUAGE, VIEW = "python", "statement"
_SETTINGS: Final = """\
[centralcloud.schedules]
registry = "1"
routing = "1"

[instance.schedules]
pattern_mining = "1"
statistics = "20"
"""
"""What is done every half minute or every hour is done every second here."""

_QUIET: Final = {"FLOCKLORE_LOG_LEVEL": "error"}

SOURCES: Final = (
    """
import contextlib
import os
import signal


def ask_to_stop(process):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(os.getpgid(process.pid), signal.SIGHUP)
""",
    """
import shutil
import tempfile


def copy_aside(tree):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        return shutil.copytree(tree, directory, symlinks=True, dirs_exist_ok=True)
""",
)


@dataclass
class ShownMesh:
    """A running mesh; `url` is where its dashboard is, also after centralcloud was started again."""

    port: int
    nats_url: str
    directory: Path
    environment: dict[str, str]
    stack: ExitStack
    databases: Databases
    hub: subprocess.Popen[str] | None = None
    said: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the dashboard is."""
        return f"http://127.0.0.1:{self.port}"

    def start_hub(self) -> None:
        """Start centralcloud, and wait until it answers."""
        self.hub = self.stack.enter_context(daemon("centralcloud", self.environment, self.directory))
        eventually_sync(self._is_ready, 60.0, "centralcloud ready")

    def _is_ready(self) -> bool:
        assert self.hub is not None
        assert self.hub.stderr is not None
        if self.hub.poll() is not None:
            raise AssertionError(f"centralcloud ended: {self.hub.stderr.read()}")
        return status(self.port, "/ready") == 200

    @contextmanager
    def another(self, **settings: str) -> Iterator[str]:
        """Run another process of centralcloud beside it; gives where it is."""
        port = free_port(0)
        environment = self.environment | {"PORT": str(port)} | settings
        with daemon("centralcloud", environment, self.directory):
            eventually_sync(lambda: status(port, "/ready") == 200, 60.0, "another centralcloud ready")
            yield f"http://127.0.0.1:{port}"

    def kill_hub(self) -> None:
        """Kill centralcloud as a machine that loses power would."""
        assert self.hub is not None
        self.hub.send_signal(signal.SIGKILL)
        self.hub.wait()

    def start_instance(self, name: str, workspace: Path) -> None:
        """Start an instance that studies a directory."""
        told = {
            "INSTANCE_ID": name,
            "DATABASE_URL": self.databases.create(),
            "NATS_URL": self.nats_url,
            "FLOCKLORE_WORKSPACE": str(workspace),
        }
        self.stack.enter_context(daemon("instance", told | _QUIET, self.directory))

    def get(self, path: str) -> Any:
        """An answer of the API."""
        return self._ask("GET", path)

    def post(self, path: str) -> Any:
        """Change something by the API."""
        return self._ask("POST", path)

    def says(self, name: str, *events: bytes, topic: Any = TOPIC) -> None:
        """Publish events as an instance of this name would."""
        first = self.said.get(name, 0) + 1
        self.said[name] = first + len(events) - 1
        self._publish(learned(topic, Sender("default", name)), envelope(first, events))

    def says_garbage(self, name: str, body: bytes) -> None:
        """Publish what nobody can read."""
        self._publish(learned(TOPIC, Sender("default", name)), body)

    def _ask(self, method: str, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, f"/api/v1/{path}", headers={"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def _publish(self, subject: str, body: bytes) -> None:
        async def publish() -> None:
            async with plain_client(self.nats_url) as client:
                await client.jetstream().publish(subject, body)

        with ThreadPoolExecutor(1) as aside:  # the browser's own loop runs in the thread of the test
            aside.submit(lambda: asyncio.run(publish())).result()


def status(port: int, path: str) -> int:
    """The status of an answer; 0 while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def pattern(template: str, repository: str, *, files: int = 3) -> bytes:
    """An event: a shape of code was found in a repository."""
    return encode(
        CodePatternLearned(
            id=fingerprint("event", repository, template).hex(),
            time=datetime.now(UTC),
            fingerprint=fingerprint(LANGUAGE, VIEW, template).hex(),
            repository=repository_key(repository),
            version=1,
            files=files,
            occurrences=2 * files,
            language=LANGUAGE,
            view=VIEW,
            template=template,
            tokens=12,
            bits=60.0,
        )
    )


def results(
    job_type: str, model: str, succeeded: int, failed: int, *, cost_cents: int = 9, day: date | None = None
) -> bytes:
    """An event: so many jobs of one kind ended with one model, each for the same cost in the same time."""
    ended = succeeded + failed
    sums = ResultSums(
        results=ended,
        succeeded=succeeded,
        failed=failed,
        priced=ended,
        cost_microcents=ended * cost_cents * 1_000_000,
        cost=Sketch(buckets=((800, ended),)),
        timed=ended,
        latency_ms=ended * 2_500,
        latency_ms_squared=ended * 2_500.0**2,
        latency=Sketch(buckets=((391, ended),)),
        metered=ended,
        input_tokens=ended * 1_200,
        output_tokens=ended * 300,
    )
    return encode(
        ResultsLearned(
            id=fingerprint("results", job_type, f"{model} {day}").hex(),
            time=datetime.now(UTC),
            day=day or datetime.now(UTC).date(),
            job_type=job_type,
            model=model,
            version=1,
            sums=sums,
        )
    )


@contextmanager
def shown_mesh(postgres: EmbeddedPostgres, work: Path, **settings: str) -> Iterator[ShownMesh]:
    """Run NATS and centralcloud."""
    with ExitStack() as stack:
        databases = Databases(postgres)
        stack.callback(databases.close)  # and not dropped: the server goes away, too
        nats = EmbeddedNats(stack.enter_context(scratch_directory()) / "nats", port=0)
        stack.callback(nats.stop)
        nats.start()
        (work / "flocklore.toml").write_text(_SETTINGS, encoding="utf-8")
        port = free_port(0)
        told = {"DATABASE_URL": databases.create(), "NATS_URL": nats.url, "PORT": str(port)} | _QUIET | settings
        mesh = ShownMesh(port, nats.url, work, told, stack, databases)
        mesh.start_hub()
        yield mesh


def habits() -> dict[str, str]:
    """Files of a codebase that has the idioms of `SOURCES`."""
    return {
        path: text
        for number, source in enumerate(SOURCES)
        for path, text in in_two_files(source, f"part_{number}").items()
    }
