from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import click
import msgspec
import pytest

from centralcloud.config import CentralcloudSettings
from instance.config import InstanceSettings
from mesh.cli import flocklore
from schemas import subjects
from schemas.channels import CHANNELS, Channel
from shared.config import PLAIN_NAMES
from shared.errors import Exit
from shared.metrics import Metrics
from tests.support.documents import DOCUMENTS, anchors, commands, fences, links, quoted, rows
from tests.support.processes import REPOSITORY

PROTOCOL = REPOSITORY / "docs/protocol.md"
OPERATIONS = REPOSITORY / "docs/operations.md"
METRICS = REPOSITORY / "docs/metrics.md"
COMPATIBILITY = REPOSITORY / "docs/compatibility.md"
TABLES = ("queues", "schedules", "ingest_tokens", "tenant_tokens")
ENVIRONMENT = {key: name for name, key in PLAIN_NAMES.items()} | dict.fromkeys(TABLES, "")
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))


@every_document
def test_commands_exist_with_their_options(document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click.Path, "convert", lambda _type, value, _param, _ctx: value)  # examples name their own
    for words in commands(document):
        if words[0] == "flocklore":
            parse(words[1:])
        elif words[0] == "make":
            assert set(words[1:2]) <= make_targets(), words


@pytest.mark.parametrize("line", ["no-such", "status --no-such", "instance no-such", "db restore", "down now"])
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        parse(line.split())


@every_document
def test_code_is_code(document: Path) -> None:
    for language, body in fences(document):
        assert language in ("", "console", "sh", "python", "json", "toml", "promql"), "a language nothing here checks"
        if language == "python":
            compile(body, str(document), "exec")
        elif language == "toml":
            tomllib.loads(body)
        elif language == "json":
            assert json.loads(body) in golden_messages(), "no golden message; copy one of schemas/golden"


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    for link in links(document):
        path, _, fragment = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not fragment or fragment in anchors(target), link


@every_document
def test_files_that_are_named_exist(document: Path) -> None:
    folders = {path.name for path in REPOSITORY.iterdir() if path.is_dir()}
    for name in quoted(document):
        path = name.partition("::")[0]
        if "/" in path and path.split("/")[0] in folders and not set(path) & set("<*{"):
            assert (REPOSITORY / path).exists(), name


@every_document
def test_tests_that_are_named_exist(document: Path) -> None:
    for file, name in re.findall(r"(tests/[\w/]+\.py)::(\w+)", document.read_text(encoding="utf-8")):
        assert f"def {name}(" in (REPOSITORY / file).read_text(encoding="utf-8"), f"{file}::{name}"


def test_the_protocol_lists_every_channel() -> None:
    expected = [channel_row(channel) for channel in CHANNELS]
    assert rows(PROTOCOL, "channels") == expected, "\n".join(f"| {' | '.join(row)} |" for row in expected)


def test_the_protocol_names_every_subject() -> None:
    text = PROTOCOL.read_text(encoding="utf-8")
    written = {value for name, value in vars(subjects).items() if name.isupper() and isinstance(value, str)}
    assert {value for value in written if value not in text} == set()


def test_operations_lists_every_setting_with_its_default() -> None:
    settings = {
        field.name: [f"`{field.name}`", shown_default(field), shown_variable(field.name)]
        for kind in (InstanceSettings, CentralcloudSettings)
        for field in msgspec.structs.fields(kind)
    }
    table = {row[0].strip("`"): row[:3] for row in rows(OPERATIONS, "settings")}
    assert table == settings


def test_every_metric_is_listed() -> None:
    expected = metric_rows()
    assert rows(METRICS, "metrics") == expected, "\n".join(f"| {' | '.join(row)} |" for row in expected)


def test_operations_lists_every_exit_code() -> None:
    assert [int(row[0]) for row in rows(OPERATIONS, "exits")] == sorted(Exit)


def test_compatibility_lists_every_promise_once() -> None:
    named: list[int] = []
    for first, _, last in (row[0].removeprefix("R").partition("-") for row in rows(COMPATIBILITY, "promises")):
        named += range(int(first), int(last or first) + 1)
    assert sorted(named) == list(range(1, 119))


def parse(words: list[str]) -> None:
    """Parse as the real command does, without running it; raises `click.UsageError` for what it does not know."""
    command: click.Command = flocklore
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, words
        command, words = found, words[1:]
    assert not isinstance(command, click.Group), "a group is not a command"
    command.make_context(command.name, list(words))


def make_targets() -> set[str]:
    return set(re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def golden_messages() -> list[object]:
    return [json.loads(path.read_bytes()) for path in (REPOSITORY / "schemas/golden").glob("*.json")]


def channel_row(channel: Channel) -> list[str]:
    message = f"`{channel.message}`" + (f" (`{channel.reply}`)" if channel.reply else "")
    return [f"`{channel.address}`", channel.publisher, ", ".join(channel.listeners), message, channel.description]


def metric_rows() -> list[list[str]]:
    suffixes = {"counter": "_total"}
    return [
        [f"`{metric.name}{suffixes.get(metric.type, '')}`", metric.type, metric.documentation]
        for metric in Metrics().registry.collect()
    ]


def shown_default(field: msgspec.structs.FieldInfo) -> str:
    value = field.default if field.default is not msgspec.NODEFAULT else {}
    return "" if value is None or value == "" else f"`{value}`"


def shown_variable(name: str) -> str:
    variable = ENVIRONMENT.get(name, f"FLOCKLORE_{name.upper()}")
    return f"`{variable}`" if variable else ""
