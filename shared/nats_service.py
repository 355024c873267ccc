"""Health over NATS, for processes without HTTP: by the protocol of NATS services, which `nats micro` speaks (ADR-32).

`$SRV.PING` finds processes, `$SRV.STATS.<name>.<id>` asks one how it is; each answers for itself.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import nats.errors
import structlog
from nats.aio.msg import Msg

from shared.bus import Bus
from shared.health import Health
from shared.version import VERSION

log = structlog.get_logger(__name__)

_TYPES: Final = {"PING": "ping_response", "INFO": "info_response", "STATS": "stats_response"}
_NO_TOKEN: Final = re.compile(r"[^A-Za-z0-9_-]")


class NatsService:
    """Answers for as long as the bus runs; create it before the bus starts."""

    def __init__(self, bus: Bus, health: Health, *, name: str, process: str) -> None:
        self._health = health
        self._started = datetime.now(UTC)
        self._asked = 0
        self._told = {
            "name": name,
            "id": _NO_TOKEN.sub("-", process),
            "version": VERSION,
            "metadata": {"role": health.role, "process": process},
        }
        for verb in _TYPES:
            for subject in (f"$SRV.{verb}", f"$SRV.{verb}.{name}", f"$SRV.{verb}.{name}.{self._told['id']}"):
                bus.subscribe(subject, self._answer)

    async def _answer(self, message: Msg) -> None:
        if not message.reply:
            return
        self._asked += 1
        verb = message.subject.split(".")[1]
        document = {"type": f"io.nats.micro.v1.{_TYPES[verb]}", **self._told, **await self._more(verb)}
        try:
            await message.respond(msgspec.json.encode(document))
        except nats.errors.Error as error:
            log.debug("health not told", reason=str(error) or type(error).__name__)

    async def _more(self, verb: str) -> dict[str, Any]:
        """What the protocol asks for; the health is the data of the one endpoint."""
        endpoint = {"name": "health", "subject": f"$SRV.STATS.{self._told['name']}.{self._told['id']}"}
        if verb == "INFO":
            return {"description": "Flocklore", "endpoints": [endpoint]}
        if verb == "STATS":
            told = {"num_requests": self._asked, "num_errors": 0, "last_error": "", "processing_time": 0,
                    "average_processing_time": 0, "data": await self._health.report()}  # fmt: skip
            return {"started": self._started, "endpoints": [endpoint | told]}
        return {}
