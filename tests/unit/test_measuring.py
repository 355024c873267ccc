from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shared.errors import UnreachableError
from shared.gauges import Reading, cpus, memory_bytes_max
from shared.jobs.meter import JobMeter
from shared.measuring import Measure, Meter
from shared.metrics import Metrics
from tests.support.lifecycle import started
from tests.support.wait import eventually


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_what_cannot_be_measured_shows_nothing() -> None:
    metrics, away = Metrics(), asyncio.Event()

    async def take() -> None:
        if away.is_set():
            raise UnreachableError("away")
        metrics.stream_messages.set(3)

    meter = Meter("meter", metrics, [Measure("stream", take, [metrics.stream_messages], every_seconds=0.01)])
    async with started(meter):
        await eventually(lambda: value(metrics, "flocklore_stream_messages") == 3)
        away.set()
        await eventually(lambda: value(metrics, "flocklore_stream_messages") is None)
        assert (value(metrics, "flocklore_measuring_failures_total", what="stream") or 0) >= 1
        away.clear()
        await eventually(lambda: value(metrics, "flocklore_stream_messages") == 3)
    assert value(metrics, "flocklore_stream_messages") is None, "who does not measure says nothing"


async def test_a_measure_that_hangs_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.measuring.MEASURE_SECONDS_MAX", 0.05)
    metrics = Metrics()

    async def hang() -> None:
        await asyncio.Event().wait()

    async def take() -> None:
        metrics.stream_bytes.set((value(metrics, "flocklore_stream_bytes") or 0) + 1)

    measures = [
        Measure("hangs", hang, [], every_seconds=0.01),
        Measure("goes", take, [metrics.stream_bytes], every_seconds=0.01),
    ]
    async with started(Meter("meter", metrics, measures)):
        await eventually(lambda: (value(metrics, "flocklore_stream_bytes") or 0) > 3)
        await eventually(lambda: value(metrics, "flocklore_measuring_failures_total", what="hangs"))


def test_only_tasks_of_workflows_are_executions_of_workflows() -> None:
    metrics = Metrics()
    meter = JobMeter(metrics, "one")
    meter.ended("study.mine", "completed", 1.0)
    meter.ended("embed", "completed", 1.0)
    executed = {"orchestrator_id": "one", "workflow": "study", "state": "completed"}
    assert value(metrics, "workflow_executions_total", **executed) == 1
    assert sum(value(metrics, "job_seconds_count", kind=kind) or 0 for kind in ("study.mine", "embed")) == 2


def test_a_reading_shows_all_it_was_told_last_or_nothing() -> None:
    metrics = Metrics()
    reading = metrics.queue_depth
    assert isinstance(reading, Reading)
    reading.replace({("eu", "a"): 1, ("eu", "b"): 2})
    reading.replace({("eu", "b"): 3})
    assert value(metrics, "pgmq_queue_depth", region="eu", queue="a") is None
    assert value(metrics, "pgmq_queue_depth", region="eu", queue="b") == 3
    reading.forget()
    assert value(metrics, "pgmq_queue_depth", region="eu", queue="b") is None


def test_limits_are_those_of_the_control_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.gauges._CGROUP", tmp_path)
    machine, seen = memory_bytes_max(), cpus()
    assert machine > 0
    assert seen >= 1
    (tmp_path / "memory.max").write_text("1048576\n")
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert (memory_bytes_max(), cpus()) == (1_048_576, 0.5)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert (memory_bytes_max(), cpus()) == (machine, seen)
