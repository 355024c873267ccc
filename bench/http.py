"""Requests a second of `/health` and of a list of 50 instances, side by side with bare routes of the same bytes.

The difference is what it costs to admit, read, count and answer in one form. A bare route is one of Starlette that
encodes the same document, and does nothing else.
Both are served by the server of the daemons, in one process; whoever asks, `wrk` if there is one, is another.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import re
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, Final

import msgspec
import uvloop
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.report import Rounds, interleaved, print_expectation, print_machine, print_rates, ratio
from schemas.insights import InstanceRow
from shared.health import Health, Survey
from shared.jobs.vitals import Vitals
from shared.metrics import Metrics
from shared.web.application import application
from shared.web.endpoint import JSON, Endpoint, Nothing, Raw
from shared.web.guard import Guard
from shared.web.health import health_endpoints
from shared.web.metrics import metrics_endpoint
from shared.web.server import WebServer
from tests.support.lifecycle import started

ROUNDS: Final = 9
ROUND_SECONDS: Final = 1.0
CONNECTIONS: Final = 16
INSTANCES: Final = 50
OTHERS: Final = 40
"""Endpoints that come before in the table, as in centralcloud."""

SHARE_MIN: Final = 0.8
PATHS: Final = ("/health", "/api/v1/instances")
_UNLIMITED: Final = 1_000_000.0
_RATE: Final = re.compile(r"Requests/sec:\s*([\d.]+)")
_TROUBLE: Final = re.compile(r"(Socket errors|Non-2xx).*")


class Instances(Struct, frozen=True):
    """As the list of centralcloud."""

    items: list[InstanceRow]
    next: str | None = None


def main() -> None:
    """Print the rates."""
    print_machine()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rounds = runner.run(_measured())
    print_rates(rounds, f"{'wrk' if shutil.which('wrk') else 'own'} req/s", {path: _bare(path) for path in PATHS})
    for path in PATHS:
        share = ratio(rounds, path, _bare(path))
        print_expectation(f"{path}: {share:.2f} of a bare route, expected >= {SHARE_MIN}", met=share >= SHARE_MIN)


def _bare(path: str) -> str:
    return f"bare {path}"


async def _measured() -> Rounds:
    async with _served() as (ours, bare):
        variants: dict[str, Callable[[], Awaitable[float]]] = {}
        for path in PATHS:
            variants[path] = partial(_rate, ours.port, path)
            variants[_bare(path)] = partial(_rate, bare.port, path)
        return await interleaved(ROUNDS, variants)


@contextlib.asynccontextmanager
async def _served() -> AsyncIterator[tuple[WebServer, WebServer]]:
    async def survey() -> Survey:  # once a second at most, so that it does not matter how long it takes
        return Survey(Vitals(queues=1, workers=1, waiting=0), INSTANCES)

    health = Health(survey, role="hybrid")
    documents = {PATHS[0]: await health.report(), PATHS[1]: _instances()}
    servers = [WebServer(made, "127.0.0.1", 0) for made in (_application(health), _bare_application(documents))]
    async with started(health, *servers):
        yield servers[0], servers[1]


def _application(health: Health) -> Starlette:
    rows = _instances()

    async def instances(_query: Nothing) -> Instances:
        return rows

    metrics = Metrics()
    table: Sequence[Endpoint | Raw] = [
        *health_endpoints(health),
        metrics_endpoint(metrics.registry),
        *(Endpoint("GET", f"/api/v1/other{number}", Nothing, instances, Instances, "") for number in range(OTHERS)),
        Endpoint("GET", PATHS[1], Nothing, instances, Instances, "Instances."),
    ]
    return application(table, Guard(requests_per_second=_UNLIMITED), title="bench", metrics=metrics)


def _bare_application(documents: Mapping[str, Struct]) -> Starlette:
    def route(path: str, document: Struct) -> Route:
        async def answer(_request: Request) -> Response:
            return Response(msgspec.json.encode(document), media_type=JSON)

        return Route(path, answer)

    return Starlette(routes=[route(path, document) for path, document in documents.items()])


def _instances() -> Instances:
    rows = [
        InstanceRow(
            instance_id=f"instance-{number}", status="online", seconds_since_heartbeat=number / 10, hostname="a-host",
            role="hybrid", region="eu", version="1.0.0", load=number, head=1000 * number, confirmed=1000 * number,
            insight_version=17, observations=5000,
        )
        for number in range(INSTANCES)
    ]  # fmt: skip
    return Instances(rows)


async def _rate(port: int, path: str) -> float:
    url = f"http://127.0.0.1:{port}{path}"
    wrk = shutil.which("wrk")
    if wrk is None:
        return await _in_a_process(_ask, port, path)
    process = await asyncio.create_subprocess_exec(
        wrk, "-t1", f"-c{CONNECTIONS}", f"-d{ROUND_SECONDS:g}s", url, stdout=asyncio.subprocess.PIPE
    )
    said = (await process.communicate())[0].decode()
    trouble = _TROUBLE.search(said)
    assert trouble is None, trouble
    found = _RATE.search(said)
    assert found is not None, said
    return float(found[1])


async def _in_a_process(function: Callable[..., float], *arguments: Any) -> float:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)


def _ask(port: int, path: str) -> float:
    """Ask over some connections, each again and again, and return how many answers a second there were."""
    return uvloop.run(_asking(port, path))


async def _asking(port: int, path: str) -> float:
    ends_at = time.perf_counter() + ROUND_SECONDS
    counts = await asyncio.gather(*(_again_and_again(port, path, ends_at) for _ in range(CONNECTIONS)))
    return sum(counts) / ROUND_SECONDS


async def _again_and_again(port: int, path: str, ends_at: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    count = 0
    while time.perf_counter() < ends_at:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        await reader.readexactly(int(length[1]))
        count += 1
    writer.close()
    return count
