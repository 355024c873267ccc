"""Advice over NATS: programs with the credentials of this instance ask it which models to try."""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from instance import routing
from instance.config import InstanceSettings
from schemas import subjects
from schemas.routing_advice import Advice, RouteQuery
from schemas.subjects import Sender
from shared.answering import Answers, Route
from shared.bus import Bus

CHOSEN_BY: Final = "nats"


class Advisor(Answers):
    """Answers as `flocklore route` does for as long as the bus runs."""

    def __init__(self, engine: AsyncEngine, bus: Bus, settings: InstanceSettings, me: Sender) -> None:
        async def advise(connection: AsyncConnection, query: RouteQuery) -> Advice:
            return await routing.answer(connection, settings, query, by=CHOSEN_BY)

        super().__init__(engine, bus, [Route(subjects.route(me), RouteQuery, advise)], tenant=me.tenant)
