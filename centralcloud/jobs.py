"""The kinds of jobs of centralcloud, and what does them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.replay import replay
from centralcloud.store import dead_letters
from shared.database import transaction
from shared.errors import ContractError
from shared.jobs.kinds import Kind, Kinds
from shared.jobs.running import Bound, Running, bind


class Letters(Struct, frozen=True):
    """How many dead letters to try, the oldest first."""

    limit: Annotated[int, Meta(ge=1, le=100_000)] = 10_000


class Replayed(Struct, frozen=True):
    """How many letters could be read at last, and how many still cannot."""

    applied: int
    unreadable: int


REPLAY: Final = Kind("replay_dead_letters", Letters, Replayed, attempts_max=3)
"""Applies what this release can read, each letter in a transaction of its own."""

KINDS: Final = Kinds([REPLAY])


def handlers(engine: AsyncEngine) -> Sequence[Bound]:
    """What does the jobs of this process."""

    async def replay_all(running: Running[Letters]) -> Replayed:
        async with transaction(engine) as connection:
            waiting = await dead_letters.waiting(connection, running.args.limit)
        applied = 0
        for number, letter in enumerate(waiting, start=1):
            try:
                await replay(engine, letter.id)
            except ContractError:
                continue
            finally:
                running.progress(number, len(waiting))
            applied += 1
        return Replayed(applied, len(waiting) - applied)

    return [bind(REPLAY, replay_all)]
