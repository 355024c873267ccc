"""`flocklore insights`: what the whole fleet knows, as this instance applied it."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from instance.cli.options import instance_option, language_option, limit_option
from shared.commandline import Commands, json_option, print_json, run_command

if TYPE_CHECKING:
    from instance.store.feedback import Reason, Verdict

REASONS = ("not_applicable", "disagree", "wrong", "already_done", "too_costly")


@click.group(cls=Commands)
def insights() -> None:
    """Look at what the fleet knows; undo what does not fit here."""


@insights.command("list")
@instance_option
@language_option
@limit_option(20)
@click.option("--all", "everything", is_flag=True, help="Also those undone here.")
@click.option("--tenant", "owner", metavar="NAME", help="Those another tenant shares, asked of centralcloud.")
@json_option
def list_insights(
    *, instance_id: str | None, language: str | None, limit: int, everything: bool, owner: str | None, as_json: bool
) -> None:
    """List the insights in use, those most instances share first.

    Those of another tenant are not used here: they are for people to read.
    """
    from instance.cli import foreign, knowledge

    choice = knowledge.Choice(language=language, limit=limit, everything=everything)
    if owner is not None:
        foreign.print_insights(run_command(foreign.shared(instance_id, owner, choice)), as_json=as_json)
        return
    knowledge.print_insights(run_command(knowledge.listed(instance_id, choice)), as_json=as_json)


@insights.command()
@click.argument("words", nargs=-1, required=True)
@instance_option
@language_option
@limit_option(20)
@json_option
def search(*, words: tuple[str, ...], instance_id: str | None, language: str | None, limit: int, as_json: bool) -> None:
    """List the insights with WORDS, as they stand, in their template, name or kind."""
    from instance.cli import knowledge

    choice = knowledge.Choice(language=language, limit=limit, words=" ".join(words))
    knowledge.print_insights(run_command(knowledge.listed(instance_id, choice)), as_json=as_json)


@insights.command()
@click.argument("insight_id", metavar="ID")
@instance_option
@json_option
def show(*, insight_id: str, instance_id: str | None, as_json: bool) -> None:
    """Show the insight whose id begins with ID, and what happened to it here."""
    from instance.cli import knowledge

    story = run_command(knowledge.story(instance_id, insight_id))
    if as_json:
        print_json(story)
    else:
        knowledge.print_story(story)


@insights.command()
@click.argument("insight_id", metavar="ID")
@instance_option
@json_option
def why(*, insight_id: str, instance_id: str | None, as_json: bool) -> None:
    """Tell where the insight came from: every observation behind it, asked of centralcloud.

    While centralcloud does not answer, what is known here: its contributors, and what happened to it here.
    """
    from instance.cli import knowledge

    story = run_command(knowledge.story_with_provenance(instance_id, insight_id))
    if as_json:
        print_json(story)
    else:
        knowledge.print_provenance(story)


@insights.command()
@click.argument("insight_id", metavar="ID")
@instance_option
@json_option
def undo(*, insight_id: str, instance_id: str | None, as_json: bool) -> None:
    """Stop using the insight here, whatever centralcloud says of it later."""
    _set_undone(insight_id, instance_id, undone=True, as_json=as_json)


@insights.command()
@click.argument("insight_id", metavar="ID")
@instance_option
@json_option
def redo(*, insight_id: str, instance_id: str | None, as_json: bool) -> None:
    """Use the insight here again."""
    _set_undone(insight_id, instance_id, undone=False, as_json=as_json)


@insights.command()
@instance_option
@limit_option(20)
@click.option("--explain", is_flag=True, help="Also name leading insights that are not recommended here, and why.")
@json_option
def recommend(*, instance_id: str | None, limit: int, explain: bool, as_json: bool) -> None:
    """List what the fleet does and this instance does not, the most useful first; asked of centralcloud."""
    from instance.cli import recommending

    page = run_command(recommending.recommended(instance_id, limit, explain=explain))
    if as_json:
        print_json(page)
    else:
        recommending.print_page(page)


@insights.command()
@click.argument("insight_id", metavar="ID")
@instance_option
@json_option
def accept(*, insight_id: str, instance_id: str | None, as_json: bool) -> None:
    """Tell the fleet that the insight is good advice here."""
    _give(insight_id, instance_id, "accepted", as_json=as_json)


@insights.command()
@click.argument("insight_id", metavar="ID")
@click.option("--because", type=click.Choice(REASONS), default="disagree", show_default=True, help="Why.")
@instance_option
@json_option
def reject(*, insight_id: str, because: Reason, instance_id: str | None, as_json: bool) -> None:
    """Stop using the insight here, and tell the fleet why."""
    _give(insight_id, instance_id, "rejected", because, as_json=as_json)


@insights.command()
@click.argument("insight_id", metavar="ID")
@instance_option
@json_option
def withdraw(*, insight_id: str, instance_id: str | None, as_json: bool) -> None:
    """Take back what was said of the insight, and use it here again."""
    _give(insight_id, instance_id, "withdrawn", as_json=as_json)


@insights.command()
@instance_option
@click.option("--since", type=click.IntRange(min=0), help="Begin after this version instead of now.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document per line.")
def tail(*, instance_id: str | None, since: int | None, as_json: bool) -> None:
    """Print each change as this instance applies it, until Ctrl-C."""
    from instance.cli import following

    run_command(following.follow(instance_id, since, as_json=as_json))


def _give(insight_id: str, instance_id: str | None, verdict: Verdict, because: Reason = "", *, as_json: bool) -> None:
    from instance.cli import opinions

    opinion = run_command(opinions.give(instance_id, insight_id, verdict, because))
    if as_json:
        print_json(opinion)
        return
    click.echo(f"{opinion.id}: {verdict}{'' if opinion.changed else ', as before'}")


def _set_undone(insight_id: str, instance_id: str | None, *, undone: bool, as_json: bool) -> None:
    from instance.cli import knowledge

    outcome = run_command(knowledge.set_undone(instance_id, insight_id, undone=undone))
    if as_json:
        print_json(outcome)
        return
    state = "no longer used here" if outcome.undone else "used here"
    click.echo(f"{outcome.id} is {state}" if outcome.changed else f"{outcome.id} was {state} already")
