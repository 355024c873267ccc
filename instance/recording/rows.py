"""Results somebody else wrote down: JSON lines and CSV with the columns of `Row`.

A row that cannot be read is named with its line, the others are read. Rows without an `external_id` are known by their
line and what it says, so that a file that grows can be imported again and again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Annotated, Any, BinaryIO, Final

import msgspec
from msgspec import Meta, Struct, structs

from instance.learning.prices import COST_CENTS_MAX, listed_cost_cents
from instance.recording.reading import Count, Origin, lines
from instance.store.results import JobResult, Status

SOURCE: Final = "import"

_CONTEXT: Final = "context."
_FIELD_CHARACTERS_MAX: Final = 1 << 20

Word = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Moment = Annotated[datetime, Meta(tz=True)]


class Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One result; only the kind of job must be told. In CSV an empty field is unknown and `context.<name>` a column."""

    job_type: Word
    status: Status = "unlabelled"
    model_used: Word | None = None
    cost_cents: Decimal | None = None
    """Without it, what the tokens cost by the list."""
    input_tokens: Count | None = None
    """Without those read from or written to a cache: no kind of tokens contains another."""
    output_tokens: Count | None = None
    cache_read_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    duration_ms: Count | None = None
    started_at: Moment | None = None
    completed_at: Moment | None = None
    job_id: Word | None = None
    workflow: str = ""
    error: str = ""
    external_id: Word | None = None
    """What its source calls it: the same id is recorded once."""
    context: Annotated[dict[Word, Word], Meta(max_length=32)] = {}

    def __post_init__(self) -> None:
        """Refuse a cost that is none; raises `ValueError`."""
        cost = self.cost_cents
        if cost is not None and not (cost.is_finite() and 0 <= cost < COST_CENTS_MAX):
            raise ValueError(f"cost_cents is not between 0 and {COST_CENTS_MAX}")


COLUMNS: Final = tuple(field.name for field in structs.fields(Row))

_ROWS: Final = msgspec.json.Decoder(Row)


def read_json_lines(file: BinaryIO, origin: Origin) -> Iterator[JobResult]:
    """Yield a result for every line that holds a `Row`."""
    for number, line in lines(file, origin.faults):
        try:
            row = _ROWS.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            origin.faults.note(number, error)
        else:
            yield _result(row, number, line.strip(), origin)


def read_csv(file: BinaryIO, origin: Origin) -> Iterator[JobResult]:
    """Yield a result for every line of a table whose first line names columns of `Row`."""
    csv.field_size_limit(_FIELD_CHARACTERS_MAX)
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    table = csv.DictReader(text, restkey="", strict=True)
    try:
        unknown = [name for name in table.fieldnames or [] if name not in COLUMNS and not name.startswith(_CONTEXT)]
        if unknown or "job_type" not in (table.fieldnames or []):
            why = f"no such column: {', '.join(unknown)}" if unknown else "no column job_type"
            origin.faults.note(1, f"{why}; there are {', '.join(COLUMNS[:-1])} and {_CONTEXT}<name>")
            return
        for fields in table:
            yield from _read_fields(fields, table.line_num, origin)
    except (csv.Error, UnicodeDecodeError) as error:
        origin.faults.note(table.line_num, f"{error}; nothing below was read")
    finally:
        text.detach()  # or it would close a file that is not its own


def _read_fields(fields: Mapping[str, Any], number: int, origin: Origin) -> Iterator[JobResult]:
    if "" in fields:
        origin.faults.note(number, "more fields than columns")
        return
    told = {name: value for name, value in fields.items() if value not in (None, "")}
    context = {name.removeprefix(_CONTEXT): told.pop(name) for name in list(told) if name.startswith(_CONTEXT)}
    try:
        row = msgspec.convert({**told, "context": context}, Row, strict=False)
    except msgspec.ValidationError as error:
        origin.faults.note(number, error)
    else:
        yield _result(row, number, msgspec.json.encode(fields), origin)


def _result(row: Row, number: int, said: bytes, origin: Origin) -> JobResult:
    told = structs.asdict(row)
    told["context"] = {**origin.context, **row.context}
    told["completed_at"] = row.completed_at or row.started_at
    if row.external_id is None:
        told["external_id"] = f"{number}:{blake2b(said, digest_size=16).hexdigest()}"
    if row.cost_cents is None:
        day = (row.completed_at or row.started_at or origin.now).date()
        cost = listed_cost_cents(origin.prices, told, day)
        told["cost_cents"] = cost if cost is not None and cost < COST_CENTS_MAX else None
    return JobResult(source=SOURCE, **told)
