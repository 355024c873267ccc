"""The schedules of centralcloud: what runs when, how it went, and having it run now or no more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.config import SCHEDULES, CentralcloudSettings
from centralcloud.web.shapes.common import Done, Listed
from centralcloud.web.shapes.work import ScheduleAsked, ScheduleItem, SchedulesAsked
from shared import fires, timetable
from shared.errors import NotFoundError
from shared.timetable import Row

Change = Callable[[AsyncConnection, str], Awaitable[bool]]


class Timetable:
    """The schedules by the settings of this process, and what the database says of them."""

    def __init__(self, settings: CentralcloudSettings) -> None:
        self._times: Mapping[str, str] = timetable.times(SCHEDULES, settings.schedules)

    async def listed(self, connection: AsyncConnection, _query: SchedulesAsked) -> Listed[ScheduleItem]:
        """List the schedules by name."""
        return Listed(items=[_item(row) for row in await self._rows(connection)])

    async def run(self, connection: AsyncConnection, query: ScheduleAsked) -> Done:
        """Ask for a run now; the hub that leads takes it, and the list and the feed tell how it ended."""
        await self._require(connection, query.name)
        await fires.ask(connection, query.name)
        return Done()

    async def enable(self, connection: AsyncConnection, query: ScheduleAsked) -> Done:
        """Let a schedule run by itself again."""
        return await self._change(connection, query.name, fires.enable)

    async def disable(self, connection: AsyncConnection, query: ScheduleAsked) -> Done:
        """Have a schedule run only when it is asked for."""
        return await self._change(connection, query.name, fires.disable)

    async def _change(self, connection: AsyncConnection, name: str, change: Change) -> Done:
        await self._require(connection, name)
        return Done(changed=int(await change(connection, name)))

    async def _require(self, connection: AsyncConnection, name: str) -> None:
        names = [row.name for row in await self._rows(connection)]
        if name not in names:
            raise NotFoundError(f"no schedule is called {name}; there are {', '.join(names)}")

    async def _rows(self, connection: AsyncConnection) -> list[Row]:
        return timetable.rows(self._times, await fires.shown(connection))


def _item(row: Row) -> ScheduleItem:
    took = row.took_seconds
    return ScheduleItem(
        name=row.name,
        when=row.when,
        enabled=row.enabled,
        last_run=row.last_run,
        took_seconds=None if took is None or took < 0 else round(took, 3),
        next_run=row.next_run,
        last_error=row.last_error,
        runs=row.runs,
        fired_by=row.fired_by or None,
        is_wanted=row.is_wanted,
    )
