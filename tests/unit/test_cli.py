from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest

from mesh import cli
from shared.commandline import run
from shared.errors import ConfigurationError, Exit
from tests.support.processes import REPOSITORY


@click.command()
@click.option("--how", default="well")
def _example(how: str) -> Exit | None:
    if how == "well":
        return None
    if how == "degraded":
        return Exit.DEGRADED
    if how == "interrupted":
        raise KeyboardInterrupt
    if how == "configuration":
        raise ConfigurationError("NATS_URL: no such thing; write nats://host:4222")
    raise ZeroDivisionError("oh")


@pytest.fixture(autouse=True)
def _with_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "example", cli.Lazy(f"{__name__}:_example", "Do as told."))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 0, ""),
        (["--how", "degraded"], 5, ""),
        (["--how", "interrupted"], 130, ""),
        (["--how", "configuration"], 78, "flocklore: NATS_URL: no such thing; write nats://host:4222\n"),
        (["--nonsense"], 2, "No such option"),
    ],
)
def test_exit_codes(arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(cli.flocklore, ["example", *arguments], "flocklore") == code
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_a_bug_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(cli.flocklore, ["example", "--how", "badly"], "flocklore") == 70
    error = capsys.readouterr().err
    assert "ZeroDivisionError: oh" in error
    assert "please report it" in error


def test_an_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(cli.flocklore, ["nonsense"], "flocklore") == 2
    assert "No such command 'nonsense'" in capsys.readouterr().err


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_in_the_table_is_there(name: str) -> None:
    command = cli.flocklore.get_command(click.Context(cli.flocklore), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str()


def test_names_are_completed_without_importing_anything() -> None:
    environment = {"_FLOCKLORE_COMPLETE": "bash_complete", "COMP_WORDS": "flocklore sta", "COMP_CWORD": "1"}
    script = "import sys; from mesh.cli import main; sys.argv[0] = 'flocklore'; main()"
    said = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", script],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout == "plain,status\n"
    assert "mesh.status_cli" not in said.stderr


def test_help_lists_all_commands_and_imports_none() -> None:
    script = """
import json, sys
from mesh import cli
from shared.commandline import run
run(cli.flocklore, ["--help"], "flocklore")
print(json.dumps(sorted(sys.modules)))
"""
    said = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    *help_lines, modules = said.stdout.splitlines()
    for name in cli.COMMANDS:
        if name != "example":
            assert any(line.split()[:1] == [name] for line in help_lines)
    ours = {
        name for name in json.loads(modules) if name.split(".")[0] in ("mesh", "shared", "instance", "centralcloud")
    }
    assert ours == {"mesh", "mesh.cli", "shared", "shared.commandline", "shared.errors"}
