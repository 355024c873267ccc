"""When the schedules of a database run by the settings of this shell, and whether somebody runs them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from shared import grants
from shared.timetable import times

SETTINGS: Final = {"instance": "instance.config", "centralcloud": "centralcloud.config"}
"""Modules with a `load`, and with SCHEDULES: every schedule with its seconds, None for on demand."""

ATTENDING: Final = ("instance", "orchestrator:leader")
"""Whoever holds one of these runs the schedules of its database."""


def configured(kind: str) -> dict[str, str]:
    """When each schedule of a kind of database runs, by the settings of this shell."""
    module = importlib.import_module(SETTINGS[kind])
    defaults: Mapping[str, float | None] = getattr(module, "SCHEDULES", {})
    return times(defaults, module.load().settings.schedules)


async def is_attended(connection: AsyncConnection) -> bool:
    """Whether a daemon runs the schedules of this database."""
    return any([await grants.holding(connection, name) is not None for name in ATTENDING])
