"""Results posted as JSON lines of `Row`: for programs that export nothing, and for our own callback in LiteLLM."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct, structs

from instance.learning.prices import Prices
from instance.recording import rows
from instance.recording.reading import Faults, Origin
from instance.store.results import JobResult
from shared.errors import ContractError

SOURCE: Final = "ingest"


class Posted(NamedTuple):
    """What a body held."""

    results: list[JobResult]
    faults: Faults


class _Identified(Struct):
    external_id: str | None = None


_IDENTIFIED: Final = msgspec.json.Decoder(_Identified)


def read(body: bytes, prices: Prices, now: datetime) -> Posted:
    """Read the lines; what is wrong with one is named, and the others are read."""
    told = Posted([], Faults())
    for number, line in enumerate(body.splitlines(), 1):
        try:
            if line.strip():
                told.results.append(_result(line, prices, now))
        except ContractError as error:
            told.faults.note(number, error)
    return told


def _result(line: bytes, prices: Prices, now: datetime) -> JobResult:
    if not _is_identified(line):
        raise ContractError("no external_id: it could not be told from one that is sent again")
    origin = Origin(now, prices)
    found = list(rows.read_json_lines(BytesIO(line), origin))
    if not found:
        raise ContractError(origin.faults.named[0].removeprefix("line 1: "))
    return structs.replace(found[0], source=SOURCE)


def _is_identified(line: bytes) -> bool:
    """Tell whether a line has an id; one that cannot be read is not the business of this question."""
    try:
        return _IDENTIFIED.decode(line).external_id is not None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True
