from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from centralcloud.config import load as load_centralcloud
from instance.cli import instance
from instance.cli.insights import insights
from instance.cli.patterns import patterns
from instance.config import load as load_instance
from mesh.config_cli import config
from mesh.config_template import TEMPLATE
from mesh.db_cli import db
from mesh.doctor import doctor
from mesh.misc_cli import completion, version
from shared.commandline import Commands, print_table, printable
from shared.errors import Exit, FlockloreError, NotFoundError, NotRunningError
from tests.support.processes import REPOSITORY

GROUPS = [instance, insights, patterns, config, db]
HEAVY = {"sqlalchemy", "nats", "rich", "structlog", "numpy", "alembic", "psycopg", "uvloop", "prometheus_client"}
LIGHT_MODULES = [
    "mesh.cli", "instance.cli", "instance.cli.patterns", "instance.cli.insights",
    "mesh.doctor", "mesh.config_cli", "mesh.db_cli", "mesh.misc_cli",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory, with an empty state, and nothing said in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "NATS_URL", "NATS_HOST", "NATS_PORT", "INSTANCE_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLOCKLORE_STATE_DIR", str(tmp_path / "state"))


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_help_is_quick_because_nothing_heavy_is_imported(module: str) -> None:
    script = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.split())


def commands_of(group: click.Group) -> list[tuple[str, click.Command]]:
    return [(f"{group.name} {name}", command) for name, command in group.commands.items()]


@pytest.mark.parametrize(("name", "command"), [pair for group in GROUPS for pair in commands_of(group)])
def test_every_command_says_what_it_does_and_offers_json(name: str, command: click.Command) -> None:
    shown = CliRunner().invoke(command, ["--help"])
    assert shown.exit_code == Exit.OK
    assert command.help
    assert "--json" in shown.output or name == "instance run"


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: str(group.name))
def test_an_unknown_command_is_a_usage_error(group: click.Group) -> None:
    assert CliRunner().invoke(group, ["no-such-thing"]).exit_code == Exit.USAGE


def test_without_a_root_our_errors_become_one_line_and_an_exit_code() -> None:
    @click.group(cls=Commands)
    def alone() -> None:
        """Fail."""

    @alone.command()
    def fail() -> None:
        raise NotFoundError("there is no such thing; name another")

    result = CliRunner().invoke(alone, ["fail"])
    assert (result.exit_code, result.stdout) == (Exit.NOT_FOUND, "")
    assert result.stderr == "flocklore: there is no such thing; name another\n"
    with pytest.raises(NotFoundError):
        click.Group(commands={"alone": alone}).main(["alone", "fail"], standalone_mode=False)


@pytest.mark.parametrize("arguments", [["list"], ["show", "abc"]])
def test_without_a_database_it_says_how_to_start_one(arguments: list[str]) -> None:
    for group in (patterns, insights):
        result = CliRunner().invoke(group, arguments)
        assert result.exit_code == Exit.RUNNING
        assert "flocklore up" in result.stderr


def test_without_nats_the_list_of_instances_says_how_to_start_it() -> None:
    result = CliRunner().invoke(instance, ["list"])
    assert result.exit_code == NotRunningError.exit_code
    assert "flocklore up" in result.stderr


def test_with_a_hub_that_does_not_answer_the_list_of_instances_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://127.0.0.1:1")
    monkeypatch.setattr("shared.client.CONNECT_SECONDS", 0.1)
    result = CliRunner().invoke(instance, ["list"])
    assert result.exit_code == Exit.UNREACHABLE
    assert "127.0.0.1:1" in result.stderr


def test_a_wrong_flag_of_run_is_a_wrong_setting() -> None:
    result = CliRunner().invoke(instance, ["run", "--instance-id", "Not A Name"])
    assert result.exit_code == Exit.CONFIGURATION
    assert "instance_id" in result.stderr


def test_a_table_is_plain_when_piped_and_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "text"], [("a", "\x1b[2Jgone"), ("long name", None)], empty="none")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["name\ttext", "a\t\N{REPLACEMENT CHARACTER}[2Jgone", "long name\t-"]
    print_table(["name"], [], empty="none")
    assert capsys.readouterr().out == "none\n"
    assert printable("a\nb") == "a\N{REPLACEMENT CHARACTER}b"


def test_mining_a_directory_keeps_nothing(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        body = "def load(path):\n    with open(path) as file:\n        return json.load(file)\n"
        (tmp_path / f"{name}.py").write_text(f"import json\n\n\n{body}")
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(patterns, ["mine", str(tmp_path), "--json"])
    assert result.exit_code == Exit.OK, result.stderr
    survey = json.loads(result.stdout)
    assert survey["files"] == 3
    assert survey["patterns"]
    assert {pattern["files"] for pattern in survey["patterns"]} == {3}
    assert sorted(tmp_path.rglob("*")) == before
    plain = CliRunner().invoke(patterns, ["mine", str(tmp_path)])
    assert plain.stdout.startswith("fingerprint\tlanguage")
    assert "3 files studied" in plain.stderr


def test_mining_a_file_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    assert CliRunner().invoke(patterns, ["mine", str(tmp_path / "a.py")]).exit_code == Exit.USAGE


def test_config_shows_where_each_value_came_from_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("flocklore.toml").write_text('tenant = "ours"\n[instance]\nrole = "worker"\n')
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hush@db/x")
    result = CliRunner().invoke(config, ["show", "--json"])
    shown = json.loads(result.stdout)
    assert shown["instance"]["role"] == {"value": "worker", "origin": "flocklore.toml [instance]"}
    assert shown["centralcloud"]["tenant"] == {"value": "ours", "origin": "flocklore.toml"}
    assert shown["instance"]["database_url"] == {"value": "postgresql://me:***@db/x", "origin": "environment"}
    assert "hush" not in CliRunner().invoke(config, ["show"]).output


def test_config_check_names_what_is_wrong() -> None:
    Path("flocklore.toml").write_text("nats_port = 70000\n")
    result = CliRunner().invoke(config, ["check"])
    assert result.exit_code == Exit.CONFIGURATION
    assert "nats_port" in result.stderr
    Path("flocklore.toml").write_text("nats_port = 4223\n")
    assert json.loads(CliRunner().invoke(config, ["check", "--json"]).stdout) == {"ok": True}


def test_config_init_writes_once_and_what_it_writes_is_right() -> None:
    assert CliRunner().invoke(config, ["init"]).exit_code == Exit.OK
    assert CliRunner().invoke(config, ["check"]).exit_code == Exit.OK
    Path("flocklore.toml").write_text("# mine\n")
    assert CliRunner().invoke(config, ["init"]).exit_code == Exit.RUNNING
    assert Path("flocklore.toml").read_text() == "# mine\n"


def test_the_template_holds_every_setting_with_its_default(tmp_path: Path) -> None:
    lines = TEMPLATE.splitlines()
    uncommented = "\n".join(line.removeprefix("# ") if " = " in line else line for line in lines)
    path = tmp_path / "all.toml"
    path.write_text(uncommented)
    document = tomllib.loads(uncommented)
    empty = tmp_path / "empty.toml"
    empty.touch()
    for section, load in (("instance", load_instance), ("centralcloud", load_centralcloud)):
        changed, defaults = load(file=path), load(file=empty)
        common = {key for key, value in document.items() if not isinstance(value, dict)}
        tables = {"schedules", "queues", "ingest_tokens", "tenant_tokens"}
        assert set(changed.origins) - tables == (common | set(document[section])) - tables
        for key in changed.origins:
            default = getattr(defaults.settings, key)
            if default not in (None, "", {}) and key not in tables:
                assert getattr(changed.settings, key) == default, key


def test_doctor_names_each_failure_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(doctor, ["--json"])
    report = json.loads(result.stdout)
    by_check = {finding["check"]: finding for finding in report["findings"]}
    assert isinstance(result.exception, FlockloreError)
    assert result.exception.exit_code == Exit.FAILED
    assert report["ok"] is False
    assert {by_check[name]["level"] for name in ("nats", "database", "hub")} == {"error"}
    assert {by_check[name]["level"] for name in ("python", "nats_server", "postgres", "state_directory")} == {"ok"}
    assert all(finding["fix"] for finding in report["findings"] if finding["level"] in ("warning", "error"))


def test_version_and_completion() -> None:
    assert set(json.loads(CliRunner().invoke(version, ["--json"]).stdout)) == {"flocklore", "python", "system"}
    for shell in ("bash", "zsh", "fish"):
        assert "_FLOCKLORE_COMPLETE" in CliRunner().invoke(completion, [shell]).stdout
    assert CliRunner().invoke(completion, ["tcsh"]).exit_code == Exit.USAGE
