"""The root of the `flocklore` command: every subcommand is imported when it is used, not before."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Final, NamedTuple

import click
from click.shell_completion import CompletionItem

from shared.commandline import run


class Lazy(NamedTuple):
    """A command that is not imported yet: `module:attribute` and its line in the list of commands."""

    where: str
    summary: str


COMMANDS: Final[dict[str, Lazy]] = {
    "up": Lazy("mesh.up_cli:up", "Start everything: servers, centralcloud, an instance for each directory."),
    "down": Lazy("mesh.up_cli:down", "Stop everything that `up` started."),
    "status": Lazy("mesh.status_cli:status", "Show what runs and where."),
    "open": Lazy("mesh.open_cli:open_dashboard", "Open the dashboard in a browser."),
    "logs": Lazy("mesh.status_cli:logs", "Show the logs of the parts."),
    "demo": Lazy("mesh.demo_cli:demo", "Play the whole story on real servers and real code."),
    "instance": Lazy("instance.cli.instances:instance", "Run one instance, or look after the registered ones."),
    "centralcloud": Lazy("centralcloud.cli:centralcloud", "Run the hub, or look after it."),
    "patterns": Lazy("instance.cli.patterns:patterns", "Show what an instance found in its code, and mine it."),
    "insights": Lazy("instance.cli.insights:insights", "Show what the fleet knows, and what is used of it."),
    "ask": Lazy("instance.cli.ask:ask", "Find code, patterns and insights that speak to a question."),
    "codebase": Lazy("instance.cli.codebase:codebase", "Show what the agents see in a directory."),
    "run": Lazy("instance.cli.recording:run", "Run a command, and record how long it took and how it ended."),
    "results": Lazy("instance.cli.results:results", "Record and import how work ended, label it, look at it."),
    "route": Lazy("instance.cli.route:route", "Choose the model to try on a task, and what to try after it."),
    "region": Lazy("instance.cli.region:region", "Show what the delegate of a region brings up and down."),
    "jobs": Lazy("mesh.jobs_cli:jobs", "Look after the jobs of an instance or of centralcloud, and their queues."),
    "workers": Lazy("mesh.workers_cli:workers", "See the processes that run jobs; pause one, have one leave."),
    "workflows": Lazy("mesh.workflows_cli:workflows", "See the runs of workflows, and cancel one."),
    "schedule": Lazy("mesh.schedule_cli:schedule", "See what runs when; have it run now, or no more."),
    "locks": Lazy("mesh.locks_cli:locks", "See who holds which lock, and take one away."),
    "doctor": Lazy("mesh.doctor:doctor", "Check what Flocklore needs, and say how to mend what is missing."),
    "support-bundle": Lazy(
        "mesh.support_cli:support_bundle", "Write one file for somebody who helps, without secrets."
    ),
    "db": Lazy("mesh.db_cli:db", "Look after the databases: schema, backups, moves."),
    "nats": Lazy("mesh.nats_cli:nats", "Make a NATS server that knows its clients, and say who they are."),
    "provision": Lazy("mesh.provision.cli:provision", "Make the secrets of a deployment, each part's in a directory."),
    "schema": Lazy("mesh.schema_cli:schema", "Export and check the wire contract."),
    "config": Lazy("mesh.config_cli:config", "Show the settings and where each came from."),
    "version": Lazy("mesh.misc_cli:version", "Show the version."),
    "completion": Lazy("mesh.misc_cli:completion", "Print the script that completes commands in a shell."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and summary and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - same
        """Import the command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].where.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name without importing any: this is done at every press of the key."""
        names = [
            CompletionItem(name, help=lazy.summary) for name, lazy in COMMANDS.items() if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - same
        """Write the list without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flocklore")
@click.option("--state-dir", metavar="DIRECTORY", help="Where embedded servers keep their data (FLOCKLORE_STATE_DIR).")
def flocklore(*, state_dir: str | None) -> None:
    """What one instance learns, every instance knows."""
    if state_dir:
        from shared.embedded.paths import STATE_VARIABLE  # noqa: PLC0415 - nothing is imported for `--help`

        os.environ[STATE_VARIABLE] = state_dir


def main() -> None:
    """Run the command line and exit with what `shared.errors.Exit` says."""
    sys.exit(run(flocklore, sys.argv[1:], "flocklore"))
