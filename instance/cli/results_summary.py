"""`flocklore results summary` and `savings`: what results say of models, and what others would have cost."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from instance.cli.options import instance_option
from shared.commandline import json_option, print_json, print_table, run_command

if TYPE_CHECKING:
    from instance.cli.results_work import Measured, OfferRow, SummaryRow

PARTS: Final = ("type", "model", "context")
MEASURES: Final = {
    "success": "success",
    "cents_per_result": "cents each",
    "cents_per_success": "cents per success",
    "seconds_p50": "seconds, half",
    "seconds_p95": "seconds, 95 %",
}

_NAMED_MAX: Final = 3

_prices = click.option(
    "--prices", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="What tokens cost by this table, which comes before those known; what is recorded does not change.",
)  # fmt: skip
_since = click.option("--since", "days", type=click.IntRange(1, 36_500), metavar="DAYS", help="Only the last so many.")


class Parts(click.ParamType[tuple[str, ...]]):
    """Names of parts with commas between them."""

    name = "parts"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Read the parts, each once."""
        parts = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
        if wrong := [part for part in parts if part not in PARTS]:
            self.fail(f"{wrong[0]!r} is none of {', '.join(PARTS)}", param, ctx)
        return parts


@click.command()
@_since
@click.option("--type", "job_type", metavar="KIND", help="Only of this kind.")
@click.option("--by", type=Parts(), default="type,model", show_default=True, help="Of type,model,context.")
@_prices
@instance_option
@json_option
def summary(
    *,
    days: int | None,
    job_type: str | None,
    by: tuple[Any, ...],
    prices: Path | None,
    instance_id: str | None,
    as_json: bool,
) -> None:
    """Show for each kind of work and model how often it succeeds, what it costs and how long it takes.

    Every estimate has a 95 % interval; where the results cannot carry one there is no number, and it says why.
    """
    from instance.cli import results_work

    rows = run_command(results_work.summarised(results_work.Asked(instance_id, days, job_type, prices), by))
    if as_json:
        print_json(rows)
        return
    print_table(
        [*by, "results", "labelled", *MEASURES.values(), "cents", "tokens"],
        [_summary_line(row) for row in rows],
        empty="No result yet; `flocklore results import` reads those of your agents.",
    )
    _say_why({title: [(_name(row), getattr(row, measure)) for row in rows] for measure, title in MEASURES.items()})


@click.command()
@_since
@click.option("--type", "job_type", metavar="KIND", help="Only of this kind.")
@_prices
@instance_option
@json_option
def savings(
    *, days: int | None, job_type: str | None, prices: Path | None, instance_id: str | None, as_json: bool
) -> None:
    """Estimate what would have been saved, had all work of a kind been done by one model or plan.

    Of every model and plan that was used, per job, with 95 % intervals, from your own history. `direct` is model-based:
    it takes for granted that within a context the harder tasks were not given to one of them. `doubly robust` knows how
    likely each choice was. Where a share of choices is held out (`routing_holdout`), what advice saved is `measured`.
    """
    from instance.cli import results_work

    rows = run_command(results_work.saved(results_work.Asked(instance_id, days, job_type, prices)))
    if as_json:
        print_json(rows)
        return
    print_table(
        ["type", "all by", "cents saved per job", "change of success", "jobs", "days", "method"],
        [_saving_line(row) for row in rows],
        empty="No kind of work was done by more than one model or plan: there is nothing to compare.",
    )
    _say_why({"saving": [(f"{row.job_type} by {_plan(row)}", row.saved_cents) for row in rows]})


def _summary_line(row: SummaryRow) -> tuple[Any, ...]:
    shown = {"success": _percent, "seconds_p50": _seconds, "seconds_p95": _seconds}
    return (
        *(row.key.values()),
        row.results,
        row.labelled,
        *(_with_interval(getattr(row, measure), shown.get(measure, _cents)) for measure in MEASURES),
        f"{row.cost_cents:.2f}" if row.priced else None,
        row.tokens or None,
    )


def _saving_line(row: OfferRow) -> tuple[Any, ...]:
    return (
        row.job_type,
        _plan(row),
        _with_interval(row.saved_cents, _cents),
        _with_interval(row.success, _percent),
        row.jobs,
        row.days,
        row.method,
    )


def _plan(row: OfferRow) -> str:
    return ", then ".join(row.plan) or "what was advised"


def _with_interval(told: Measured, show: Callable[[float], str]) -> str | None:
    if told.expected is None or told.low is None or told.high is None:
        return None
    return f"{show(told.expected)} ({show(told.low)} to {show(told.high)})"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _cents(cents: float) -> str:
    return f"{cents:.2f}" if abs(cents) >= 1 else f"{cents:.4f}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}"


def _name(row: SummaryRow) -> str:
    return " by ".join(filter(None, row.key.values())) or "everything"


def _say_why(measured: Mapping[str, Iterable[tuple[str, Measured]]]) -> None:
    """Say why numbers are missing, each reason once."""
    missing: dict[tuple[str, str], list[str]] = {}
    for title, rows in measured.items():
        for name, told in rows:
            if told.reason is not None:
                missing.setdefault((title, told.reason), []).append(name)
    for (title, reason), names in missing.items():
        click.echo(f"no {title} of {_listed(names)}: {reason}")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED_MAX
    return ", ".join(names[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
