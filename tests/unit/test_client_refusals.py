from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.codec import encode
from schemas.insights import InstancesPage
from schemas.replies import ErrorBody, ErrorCode, Response, failure
from shared.client import data_of
from shared.errors import ContractError, Exit, FlockloreError

PAGE = InstancesPage(instances=())


def reply(data: InstancesPage | None = None, error: ErrorBody | None = None) -> bytes:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return encode(Response(timestamp=now, correlation_id="c", success=error is None, data=data, error=error))


def test_the_data_of_a_reply_is_returned() -> None:
    assert data_of(reply(PAGE), InstancesPage) == PAGE


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        (ErrorCode.NOT_FOUND, Exit.NOT_FOUND),
        (ErrorCode.SERVICE_UNAVAILABLE, Exit.UNREACHABLE),
        (ErrorCode.TIMEOUT, Exit.TRY_AGAIN),
        (ErrorCode.UNAUTHORIZED, Exit.FAILED),
    ],
)
def test_a_refusal_becomes_the_error_that_says_so(code: ErrorCode, exit_code: Exit) -> None:
    with pytest.raises(FlockloreError, match="in its words") as caught:
        data_of(reply(error=failure(code, "in its words")), InstancesPage)
    assert caught.value.exit_code == exit_code


@pytest.mark.parametrize("body", [b"", b"[]", reply()])
def test_a_reply_that_says_nothing_breaks_the_contract(body: bytes) -> None:
    with pytest.raises(ContractError, match="one release"):
        data_of(body, InstancesPage)
