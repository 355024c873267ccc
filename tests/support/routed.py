"""Results of a kind of job to route, and the advice on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.config import InstanceSettings
from instance.routing import advise, constraints_of, task_of
from instance.store import results
from instance.store.results import JobResult, Label, Status
from instance.sync.results import say_results
from schemas.routing_advice import Advice
from shared.database import transaction

CENTS = {"small": Decimal(1), "large": Decimal(20)}


def made(model: str, succeeded: int, failed: int, job_type: str = "fix", **context: str) -> list[JobResult]:
    """Results of a model, some of which succeeded, that ended now."""
    success: Status = "success"
    failure: Status = "failed"
    return [
        JobResult(
            job_type=job_type,
            model_used=model,
            status=status,
            cost_cents=CENTS[model],
            duration_ms=4000 + 10 * number,
            context=context,
        )
        for number, status in enumerate([success] * succeeded + [failure] * failed)
    ]


async def record(engine: AsyncEngine, recorded: Sequence[JobResult]) -> None:
    """Record results and count them."""
    async with transaction(engine) as connection:
        await results.record_many(connection, recorded)
    await say_results(engine)


async def label(engine: AsyncEngine, status: Status, external_id: str) -> None:
    """Say of one result of the source `test` how it was, and count it so."""
    async with transaction(engine) as connection:
        number = await results.find(connection, "test", external_id)
        assert number is not None
        await results.label(connection, [number], Label(status, "ci", datetime.now(UTC)))
    await say_results(engine)


async def advice(engine: AsyncEngine, *, seed: int = 1, **asked: Any) -> Advice:
    """Ask which model to try on `fix`, without exploring unless that is asked for."""
    settings = InstanceSettings(**{name: asked.pop(name) for name in list(asked) if name.startswith("routing")})
    context, verifier = asked.pop("context", {}), asked.pop("verifier", None)
    constraints = constraints_of(settings, **{"exploration": 0.0, "success_min": 0.7} | asked)
    async with transaction(engine) as connection:
        task = task_of("fix", context, verifier)
        return await advise(connection, task, constraints, by="test", rng=np.random.default_rng(seed))
