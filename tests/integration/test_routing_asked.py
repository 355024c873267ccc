"""Advice over NATS: the same as on the command line, for programs of the same tenant alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from schemas import subjects
from schemas.codec import decode, encode
from schemas.replies import ErrorCode, Response
from schemas.routing_advice import Advice, RouteQuery
from schemas.subjects import Sender
from shared.bus import Bus
from shared.embedded.nats import EmbeddedNats
from tests.support.asking import asker
from tests.support.daemons import Fleet, Member
from tests.support.routed import advice, made, record

ANN = subjects.route(Sender("default", "ann"))


class Asked:
    """A member, and the way to ask it."""

    def __init__(self, member: Member, url: str) -> None:
        self.member = member
        self.engine = member.engine
        self._url = url

    async def __call__(self, query: RouteQuery | bytes, tenant: str = "default") -> Response[Advice]:
        """Ask as a program of an instance of this tenant would."""
        async with asker(self._url, tenant, "ann") as client:
            data = query if isinstance(query, bytes) else encode(query)
            return decode((await client.request(ANN, data, timeout=5)).data, Response[Advice])


@pytest.fixture
async def ann(own_nats: Callable[[], EmbeddedNats], make_database: Any, tmp_path: Path) -> AsyncIterator[Asked]:
    async with AsyncExitStack() as stack:
        url = own_nats().url
        member = await Fleet(stack, url, make_database, tmp_path).member("ann", routing_forbidden="huge")
        await member.part(Bus).connected.wait()
        yield Asked(member, url)


async def test_the_answer_is_that_of_the_command_line(ann: Asked) -> None:
    await record(ann.engine, made("small", 36, 4, language="python") + made("large", 19, 1, language="python"))
    query = RouteQuery(
        job_type="fix", context={"language": "python"}, incumbent=("large",), success_min=0.7, exploration=0.0
    )
    told = (await ann(query)).data
    here = await advice(ann.engine, context={"language": "python"}, incumbent="large")
    assert told is not None
    assert told.expected is not None
    assert here.expected is not None
    assert told.against_incumbent is not None
    assert (told.plan, told.reason, told.propensity) == (here.plan, here.reason, here.propensity) == (
        ("small",), "the cheapest of 2 plans sure enough to reach 70 % success", 1.0,
    )  # fmt: skip
    assert told.expected.success.expected == here.expected.success.expected
    assert told.expected.cost_cents is not None
    assert here.expected.cost_cents is not None
    assert told.expected.cost_cents.expected == here.expected.cost_cents.expected
    assert await ann.member.value("SELECT chosen_by FROM routing_records WHERE id = :id", id=told.id) == "nats"


async def test_what_cannot_be_answered_says_why(ann: Asked) -> None:
    outcomes: dict[ErrorCode, RouteQuery | bytes] = {
        ErrorCode.NOT_FOUND: RouteQuery(job_type="fix"),
        ErrorCode.INVALID_REQUEST: b'{"job_type": ""}',
    }
    for code, query in outcomes.items():
        refused = await ann(query)
        assert refused.error is not None
        assert (refused.data, refused.error.code) == (None, code)
    strange = await ann(RouteQuery(job_type="fix", context={"langauge": "python"}))
    assert strange.error is not None
    assert "langauge tells nothing about a choice" in strange.error.message


async def test_the_settings_hold_for_whoever_asks(ann: Asked) -> None:
    both = await ann(RouteQuery(job_type="fix", pinned=("huge",)))
    assert both.error is not None
    assert "pinned and forbidden" in both.error.message


async def test_another_tenant_learns_nothing(ann: Asked) -> None:
    foreign = await ann(RouteQuery(job_type="fix", incumbent=("large",)), tenant="globex")
    assert foreign.error is not None
    assert foreign.error.code == ErrorCode.UNAUTHORIZED
    assert await ann.member.value("SELECT count(*) FROM routing_records") == 0
