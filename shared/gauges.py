"""Gauges that say only what was measured, and the limits of the machine that a process is measured against."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_CGROUP: Final = Path("/sys/fs/cgroup")


class Reading(Collector):
    """A gauge that holds what was last measured, all of it at once, and shows nothing while nobody measures."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...], registry: CollectorRegistry) -> None:
        self.name = name
        self.labels = labels
        self._text = text
        self._values: Mapping[tuple[str, ...], float] = {}
        registry.register(self)

    def set(self, value: float) -> None:
        """Hold the one value of a reading without labels."""
        self.replace({(): value})

    def replace(self, values: Mapping[tuple[str, ...], float]) -> None:
        """Hold these values by their labels, and none of before."""
        self._values = dict(values)

    def forget(self) -> None:
        """Show nothing until it is measured again."""
        self._values = {}

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Give what was measured last."""
        family = GaugeMetricFamily(self.name, self._text, labels=self.labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family


def memory_bytes_max() -> int:
    """Bytes this process may take: the limit of its control group where there is one, else the machine's memory."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [_number(path) for path in (_CGROUP / "memory.max", _CGROUP / "memory/memory.limit_in_bytes")]
    return min([machine, *(limit for limit in limits if limit is not None)])


def cpus() -> float:
    """How many processors this process may keep busy: its share where a control group limits it, else all it sees."""
    seen = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    with contextlib.suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text(encoding="ascii").split()
        return min(seen, int(quota) / int(period))  # "max", where there is no limit, is no number
    return seen


def _number(path: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text(encoding="ascii"))
    return None
