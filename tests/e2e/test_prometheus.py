"""A real Prometheus on a real mesh: it scrapes both daemons, takes the rules, and the panels find what there is."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

import centralcloud.daemon
from centralcloud.config import CentralcloudSettings
from deploy.grafana.dashboard import expressions
from shared.embedded.ports import free_port
from shared.service import Service
from shared.web.server import WebServer
from tests.support.daemons import Fleet
from tests.support.lifecycle import started
from tests.support.processes import REPOSITORY
from tests.support.wait import eventually

RULES = REPOSITORY / "deploy/prometheus/rules.yml"
SHARED = """
import os
import signal


def ask_to_stop(process):
    return os.killpg(os.getpgid(process.pid), signal.SIGHUP)
"""
SEEN = {
    'count(up{job="orchestrator"} == 1)': [1.0],
    "sum(flocklore_leading)": [1.0],
    "sum(flocklore_dead_letters_waiting)": [0.0],
    'sum(flocklore_instances{status=~"online|paused|draining"})': [2.0],
    "sum(workflow_runs_completed)": [2.0],
    'sum(workflow_workers{status="online"})': [3.0],
    "sum(flocklore_consumer_pending)": [0.0],
    "sum(flocklore_outbox_pending)": [0.0],
    "max(flocklore_buffer_pending)": [0.0],
    "count(sum by (orchestrator_id) (rate(workflow_executions_total[1m])) > 0)": [2.0],
    "count(process_resident_memory_bytes / on (job, instance) flocklore_memory_bytes_max > 0)": [3.0],
    "count(flocklore_nats_round_trip_seconds > 0)": [3.0],
}


@contextmanager
def prometheus(directory: Path, targets: Mapping[str, list[int]]) -> Iterator[int]:
    """Run one that scrapes every second; gives its port."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed")
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}
        for job, ports in targets.items()
    ]
    config = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [str(RULES)]}
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config | {"scrape_configs": jobs}), encoding="utf-8")
    port = free_port(29_090)
    options = [f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data"]
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *options, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait(20)


async def asked(port: int, path: str, **query: str) -> Any:
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"

    def ask() -> Any:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    return await asyncio.to_thread(ask)


async def values(port: int, expression: str) -> list[float]:
    return [float(one["value"][1]) for one in (await asked(port, "query", query=expression))["result"]]


def web_port(services: list[Service]) -> int:
    return next(service.port for service in services if isinstance(service, WebServer))


async def test_prometheus_sees_a_mesh_at_work(fleet: Fleet, database_url: str, tmp_path: Path) -> None:
    settings = CentralcloudSettings(nats_url=fleet.url, database_url=database_url, http_port=0)
    async with centralcloud.daemon.build(settings) as services, started(*services):
        members = [await fleet.member(name, SHARED, http_port=0) for name in ("ann", "bob")]
        targets = {
            "orchestrator": [web_port(list(services))],
            "instance": [member.part(WebServer).port for member in members],
        }
        with prometheus(tmp_path, targets) as port:
            await sees(port, {"sum(up)": [3.0]})
            for member in members:
                await member.shares()
            await sees(port, SEEN)
            for expression in expressions():
                await asked(port, "query", query=expression)  # anything but 200 raises
            rules = await asked(port, "rules")
            faults = [
                rule["lastError"] for group in rules["groups"] for rule in group["rules"] if rule.get("lastError")
            ]
            assert faults == []
            assert (await asked(port, "alerts"))["alerts"] == [], "nothing is wrong"


async def sees(port: int, panels: Mapping[str, list[float]]) -> None:
    """Wait until these expressions give these values."""
    missing: list[str] = []

    async def check() -> bool:
        try:
            missing[:] = [one for one, wanted in panels.items() if await values(port, one) != wanted]
        except OSError:
            return False
        return not missing

    try:
        await eventually(check, 60)
    except AssertionError as error:
        raise AssertionError(f"not seen: {missing}") from error
