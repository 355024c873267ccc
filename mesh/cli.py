"""The root of the `flocklore` command: every subcommand is imported when it is used, not before."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Final, NamedTuple

import click

from shared.errors import Exit, FlockloreError


class Lazy(NamedTuple):
    """A command that is not imported yet: `module:attribute` and its line in the list of commands."""

    where: str
    summary: str


COMMANDS: Final[dict[str, Lazy]] = {
    "up": Lazy("mesh.up_cli:up", "Start everything: servers, centralcloud, an instance for each directory."),
    "down": Lazy("mesh.up_cli:down", "Stop everything that `up` started."),
    "status": Lazy("mesh.status_cli:status", "Show what runs and where."),
    "logs": Lazy("mesh.status_cli:logs", "Show the logs of the parts."),
    "instance": Lazy("instance.cli:instance", "Run one instance, or look after the registered ones."),
    "centralcloud": Lazy("centralcloud.cli:centralcloud", "Run the hub, or look after it."),
    "schema": Lazy("mesh.schema_cli:schema", "Export and check the wire contract."),
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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - same
        """Write the list without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flocklore")
def flocklore() -> None:
    """What one instance learns, every instance knows."""


def main() -> None:
    """Run the command line and exit with what `shared.errors.Exit` says."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; errors become one line on standard error and an exit code."""
    try:
        code = flocklore.main(arguments, prog_name="flocklore", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except FlockloreError as error:
        click.echo(f"flocklore: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output has seen enough.
        sys.stderr.close()
        return Exit.OK
    except Exception:  # noqa: BLE001 - whatever it is, it is a bug and said to be one
        traceback.print_exc()
        click.echo("flocklore: this is a bug, please report it with the lines above", err=True)
        return Exit.BUG
    return code if isinstance(code, int) else Exit.OK
