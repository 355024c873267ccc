"""The answer to a delegate that asks what a region has seen models do, together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.queries.answers import PAGE_BYTES_MAX
from centralcloud.store import pins, regional_results
from centralcloud.store.regional_results import Cell
from schemas.codec import InvalidMessageError, encode
from schemas.region import RegionalResults, ResultsPage, ResultsQuery
from schemas.results import CONTEXT_WORDS_MAX, Word
from shared.answering import ForeignTenantError

_CURSOR: Final = msgspec.json.Decoder(
    tuple[date, Word, Word, Annotated[dict[Word, Word], Meta(max_length=CONTEXT_WORDS_MAX)]]
)


class PinnedError(ForeignTenantError):
    """What a pinned tenant knows stays where it is."""


async def results_page(connection: AsyncConnection, query: ResultsQuery, instances_min: int) -> ResultsPage:
    """Give cells that enough instances have, as many as asked for and as fit; PinnedError for a pinned tenant."""
    if await pins.find(connection, query.tenant) is not None:
        raise PinnedError(f"tenant {query.tenant} is pinned: its results do not leave its region")
    asked_at = await regional_results.asked_at(connection)
    found = await regional_results.page(
        connection, query.tenant, instances_min, query.since, _cell(query.after), query.limit
    )
    fitting = found[: _fitting([results for _, results in found])]
    return ResultsPage(
        results=tuple(results for _, results in fitting if results is not None),
        next=_cursor(fitting[-1][0]) if fitting else "",
        asked_at=asked_at,
    )


def _fitting(found: Sequence[RegionalResults | None]) -> int:
    """Count those at the front that fit into a page, one at least."""
    size = 0
    for count, results in enumerate(found):
        size += len(encode(results))
        if size > PAGE_BYTES_MAX and count > 0:
            return count
    return len(found)


def _cursor(cell: Cell) -> str:
    return encode((cell.day, cell.job_type, cell.model, msgspec.Raw(cell.context.encode()))).decode()


def _cell(cursor: str) -> Cell | None:
    """Where to go on; InvalidMessageError when it is not what was given."""
    if not cursor:
        return None
    try:
        day, job_type, model, context = _CURSOR.decode(cursor)
    except msgspec.MsgspecError as error:
        raise InvalidMessageError(f"`after` is no `next` of a page: {error}") from error
    return Cell(day, job_type, model, encode(context).decode())
