"""Advice on models, for `flocklore route`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from instance import routing
from instance.cli.target import open_target, resolve_settings
from schemas.routing_advice import Advice, Expectation, Range
from shared.commandline import print_facts, print_table
from shared.database import transaction

CHOSEN_BY: Final = "command"


async def advised(
    name: str | None, job_type: str, context: Mapping[str, str], verifier: str | None, **asked: Any
) -> Advice:
    """Choose the models for a task, and write down which."""
    settings = resolve_settings(name)
    task, constraints = routing.task_of(job_type, context, verifier), routing.constraints_of(settings, **asked)
    async with open_target(settings) as target, transaction(target.engine) as connection:
        return await routing.advise(connection, task, constraints, by=CHOSEN_BY, rng=np.random.default_rng())


def print_advice(advice: Advice) -> None:
    """Print it for a person."""
    facts: list[tuple[str, Any]] = [
        ("plan", _plan(advice.plan)),
        ("why", advice.reason),
        *_expected(advice.expected),
    ]
    if advice.against_incumbent is not None:
        facts.append(("saves", _cents(advice.against_incumbent.saved_cents)))
    print_facts([*facts, ("chosen in", f"{advice.propensity:.1%} of such choices"), ("record", advice.id)])
    if advice.alternatives:
        print_table(
            ["instead", "success", "cents", "seconds", "chosen in"],
            [
                (_plan(one.plan), _percent(one.success), _cents(one.cost_cents), _seconds(one.latency_ms),
                 f"{one.propensity:.1%}")
                for one in advice.alternatives
            ],
            empty="",
        )  # fmt: skip


def _expected(found: Expectation | None) -> list[tuple[str, str]]:
    if found is None:
        return []
    worst = "" if found.latency_ms_p95 is None else f", 95 of 100 within {found.latency_ms_p95 / 1000:.1f}"
    return [
        ("success", _percent(found.success)),
        ("cents", _cents(found.cost_cents)),
        ("seconds", _seconds(found.latency_ms) + worst),
    ]


def _plan(models: tuple[str, ...]) -> str:
    return ", then ".join(models)


def _percent(found: Range) -> str:
    return f"{found.expected:.0%} ({found.low:.0%} to {found.high:.0%})"


def _cents(found: Range | None) -> str:
    return "unknown" if found is None else f"{found.expected:.3g} ({found.low:.3g} to {found.high:.3g})"


def _seconds(found: Range | None) -> str:
    if found is None:
        return "unknown"
    return f"{found.expected / 1000:.1f} ({found.low / 1000:.1f} to {found.high / 1000:.1f})"
