"""`flocklore centralcloud`: run the hub, or look after it. Commands talk to the central database directly."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from centralcloud.at_hand import tenant_option, with_database
from centralcloud.keys_cli import keys
from centralcloud.pinning_cli import PINNING
from centralcloud.sharing_cli import tenants
from shared.commandline import harmless, json_option, show, table
from shared.errors import Exit

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from centralcloud.aggregate import AggregationResult
    from centralcloud.config import CentralcloudSettings
    from centralcloud.leadership import Standing

LETTERS_MAX = 1_000


@click.group()
def centralcloud() -> None:
    """Run the hub, or look after it."""


centralcloud.add_command(keys)
centralcloud.add_command(tenants)
for command in PINNING:
    tenants.add_command(command)


@centralcloud.command()
@click.option("--database-url", help="Any PostgreSQL 15 or later; an embedded one unless given.")
@click.option("--nats-url", help="One or several servers, comma-separated.")
@click.option("--ready-file", help="Created when the hub is ready.")
def run(**flags: str | None) -> Exit:
    """Run the hub until it is stopped."""
    from centralcloud.config import load
    from centralcloud.daemon import main

    return main(load(flags).settings)


@centralcloud.command()
@tenant_option
@json_option
def status(*, tenant: str | None, as_json: bool) -> Exit:
    """Show how the hubs stand and which one leads; exit 5 when a schedule failed."""
    from msgspec import structs

    from centralcloud.desk import Status, read_status
    from centralcloud.leadership import read_standing

    async def read(engine: AsyncEngine, tenant: str) -> tuple[Status, Standing]:
        return await read_status(engine, tenant), await read_standing(engine)

    found, leadership = with_database(read, tenant)
    instances = ", ".join(f"{count} {state}" for state, count in sorted(found.instances.items())) or "none"
    numbers = table(
        ("what", "value"),
        [
            ("tenant", found.tenant),
            ("insights", found.insights.total_patterns),
            ("version of insights", found.head),
            ("patterns waiting", found.waiting),
            ("instances", instances),
            ("instances set aside", found.set_aside),
            ("dead letters", found.dead_letters),
        ],
    )
    schedules = table(
        ("schedule", "runs", "last started", "next run", "last error"),
        [(one.name, one.runs, one.last_started, one.next_run, one.last_error) for one in found.schedules],
    )
    document = structs.asdict(found) | {"leadership": leadership}
    show(document, f"{numbers}\n\n{_leadership_lines(leadership)}\n\n{schedules}", as_json=as_json)
    return Exit.DEGRADED if found.degraded else Exit.OK


@centralcloud.command()
@click.argument("candidate", required=False)
@click.option("--force", is_flag=True, help="Also when the leader is alive: it loses the lead at once.")
@json_option
def promote(*, candidate: str | None, force: bool, as_json: bool) -> None:
    """Have CANDIDATE lead, or any other hub that runs, a primary before a standby.

    Exit 3 while the leader is alive: have it step down first, or say --force.
    """
    from centralcloud.leadership import promote as promote_candidate

    found = with_database(lambda engine, _: promote_candidate(engine, candidate, force=force))
    show(found, _leadership_lines(found), as_json=as_json)


@centralcloud.command("step-down")
@json_option
def step_down(*, as_json: bool) -> None:
    """Have the leader give up the lead, and let others have it for half a minute."""
    from centralcloud.leadership import step_down as have_leader_step_down

    found = with_database(lambda engine, _: have_leader_step_down(engine))
    show(found, _leadership_lines(found), as_json=as_json)


@centralcloud.command()
@click.option("--rebuild", "anew", is_flag=True, help="Merge everything anew from the observations.")
@tenant_option
@json_option
def aggregate(*, anew: bool, tenant: str | None, as_json: bool) -> None:
    """Bring insights up to date now; a running hub announces it within half a minute."""
    from centralcloud.aggregate import aggregate as bring_up_to_date
    from centralcloud.aggregate import rebuild

    rules = _settings()
    work = partial(
        rebuild if anew else bring_up_to_date,
        half_life_days=rules.half_life_days,
        instances_min=rules.insight_instances_min,
    )
    _show_result(with_database(work, tenant), as_json=as_json)


@centralcloud.command()
@tenant_option
@json_option
def instances(*, tenant: str | None, as_json: bool) -> None:
    """List the instances the hub knows."""
    from centralcloud.desk import read_instances

    rows = with_database(read_instances, tenant)
    columns = (
        "instance", "status", "silent s", "host", "observations", "confirmed", "head", "insights", "quarantined",
        "trust", "reason",
    )  # fmt: skip
    cells = [
        (
            one.instance_id,
            one.status,
            f"{one.seconds_since_heartbeat:.0f}",
            one.hostname,
            one.observations,
            one.confirmed,
            one.head,
            one.insight_version,
            "yes" if one.quarantined else "",
            f"{one.trust:g}",
            one.reason,
        )
        for one in rows
    ]
    show({"instances": rows}, table(columns, cells), as_json=as_json)


@centralcloud.command()
@tenant_option
@json_option
def outliers(*, tenant: str | None, as_json: bool) -> None:
    """List instances the hub does not wholly believe; `quarantine INSTANCE --undo` has it believe one again."""
    from centralcloud.desk import read_outliers

    found = with_database(read_outliers, tenant)
    columns = ("instance", "trust", "z", "patterns", "since", "released")
    cells = [(one.instance, one.trust, f"{one.z:.1f}", one.facts, one.since, one.released_at) for one in found]
    show({"outliers": found}, table(columns, cells), as_json=as_json)


@centralcloud.command()
@click.argument("instance")
@click.option("--reason", default="", help="Kept beside the mark.")
@click.option("--undo", is_flag=True, help="Trust it again, also when the hub itself set it aside.")
@tenant_option
@json_option
def quarantine(*, instance: str, reason: str, undo: bool, tenant: str | None, as_json: bool) -> None:
    """Take everything INSTANCE said out of the insights, or put it back."""
    from centralcloud.quarantine import quarantine as distrust
    from centralcloud.quarantine import release

    async def change(engine: AsyncEngine, tenant: str) -> AggregationResult:
        rules = _settings()
        if undo:
            return await release(engine, tenant, instance, rules.half_life_days, rules.insight_instances_min)
        return await distrust(engine, tenant, instance, reason, rules.half_life_days, rules.insight_instances_min)

    _show_result(with_database(change, tenant), as_json=as_json)


@centralcloud.command()
@tenant_option
@json_option
def statistics(*, tenant: str | None, as_json: bool) -> None:
    """Show the fleet in numbers."""
    from msgspec import structs

    from centralcloud.desk import read_statistics

    found = with_database(read_statistics, tenant)
    flat = structs.asdict(found) | {f"patterns, {kind}": n for kind, n in structs.asdict(found.patterns).items()}
    rows = [(name.replace("_", " "), value) for name, value in flat.items() if name != "patterns"]
    show(found, table(("what", "value"), rows), as_json=as_json)


@centralcloud.group("dead-letters")
def dead_letters() -> None:
    """Messages that could not be decoded."""


@dead_letters.command("list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, LETTERS_MAX))
@json_option
def list_letters(*, limit: int, as_json: bool) -> None:
    """List those not replayed yet, oldest first."""
    from centralcloud.desk import read_letters

    letters = with_database(lambda engine, _: read_letters(engine, limit))
    rows = [(one.id, one.received_at, one.tenant, one.instance, one.seq, one.error) for one in letters]
    show(
        {"dead_letters": letters},
        table(("id", "received", "tenant", "instance", "seq", "error"), rows),
        as_json=as_json,
    )


@dead_letters.command("show")
@click.argument("letter_id", type=int)
@json_option
def show_letter(*, letter_id: int, as_json: bool) -> None:
    """Show one with its bytes (Base64 in JSON)."""
    from centralcloud.desk import read_letter

    letter = with_database(lambda engine, _: read_letter(engine, letter_id))
    lines = table(
        ("what", "value"),
        [(name, getattr(letter, name)) for name in letter.__struct_fields__ if name != "body"],
    )
    body = map(harmless, letter.body.decode(errors="backslashreplace").splitlines())
    show(letter, "\n".join([lines, "", *body]), as_json=as_json)


@dead_letters.command("replay")
@click.argument("letter_id", type=int)
@json_option
def replay_letter(*, letter_id: int, as_json: bool) -> None:
    """Apply one that this release can read."""
    from centralcloud.replay import replay

    letter = with_database(lambda engine, _: replay(engine, letter_id))
    show({"replayed": letter.id}, f"dead letter {letter.id} was applied", as_json=as_json)


def _leadership_lines(standing: Standing) -> str:
    """Show who leads, and below it every hub that runs."""
    leader = standing.leader
    leads = "nobody" if leader is None else f"{leader.candidate or 'process'} ({leader.pid} on {leader.hostname})"
    numbers = table(
        ("what", "value"),
        [
            ("leader", leads),
            ("epoch", leader.epoch if leader else ""),
            ("leads since", leader.since if leader else ""),
            ("failovers", standing.failovers),
            ("two held one lock", ", ".join(standing.overlapping) or "never"),
        ],
    )
    columns = ("hub", "candidacy", "host", "process", "since", "leads")
    rows = [
        (one.name, one.candidacy, one.hostname, one.pid, one.since, "yes" if one.leads else "")
        for one in standing.candidates
    ]
    return f"{numbers}\n\n{table(columns, rows)}"


def _settings() -> CentralcloudSettings:
    from centralcloud.config import load

    return load().settings


def _show_result(result: AggregationResult, *, as_json: bool) -> None:
    document: dict[str, Any] = {
        "tenant": result.tenant,
        "changed": result.changed,
        "revoked": result.revoked,
        "head": result.head,
        "seconds": round(result.seconds, 3),
    }
    show(document, table(("what", "value"), list(document.items())), as_json=as_json)
