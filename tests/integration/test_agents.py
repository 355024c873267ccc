"""Agents of other packages: found, run, kept when they fail, and withdrawn when they are gone."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents.agent import Agent, Finding, installed_agents
from instance.agents.codebase import Codebase
from instance.analysis.workspace import walk
from tests.support.databases import instance_engine
from tests.support.patterns import scalar
from tests.support.studied import go_round, read

DOCUMENT = Path(__file__).parents[2] / "docs" / "agents.md"
FOUND = "SELECT string_agg(template || ' ' || files, ', ' ORDER BY template) FROM patterns WHERE agent = '{}'"


@pytest.fixture
async def engine(make_database: Callable[[], str]) -> AsyncIterator[AsyncEngine]:
    async with instance_engine(make_database()) as engine:
        yield engine


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package of the documentation, installed by pip into a directory of its own."""
    python, toml = re.findall(r"```(?:python|toml)\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    source, target = tmp_path / "acme", tmp_path / "installed"
    source.mkdir()
    (source / "acme_log_reader.py").write_text(python)
    (source / "pyproject.toml").write_text(toml)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, timeout=120)
    monkeypatch.syspath_prepend(str(target))
    return target


class Counter(Agent):
    """Counts its studies, and fails when told to."""

    name = "counter"

    def __init__(self) -> None:
        self.studies = 0
        self.fails = False

    def reads(self, path: str) -> bool:
        return path.endswith(".cfg")

    def study(self, codebase: Codebase) -> Iterable[Finding]:
        self.studies += 1
        if self.fails:
            raise ValueError("nothing works today")
        yield Finding(name="files.counted", files=len(codebase.paths))


def codebase(root: Path) -> Path:
    root.mkdir()
    (root / "one.py").write_text("import logging\nimport os\n")
    (root / "two.py").write_text("import structlog.stdlib\nfrom logging import getLogger\n")
    (root / "setup.cfg").write_text("[metadata]\n")
    return root


async def test_the_agent_of_the_documentation_finds_what_it_says(
    engine: AsyncEngine, tmp_path: Path, installed: Path
) -> None:
    agents = installed_agents()
    assert "log_reader" in {agent.name for agent in agents}
    assert "architect" in {agent.name for agent in agents}
    assert "log_reader" not in {agent.name for agent in installed_agents({"log_reader"})}
    repository, found = await read(engine, codebase(tmp_path / "code"))
    assert await go_round(engine, repository, found, agents)
    assert await scalar(engine, FOUND.format("log_reader")) == "logging.standard 2, logging.structured 1"


async def test_an_agent_that_cannot_be_loaded_is_named_and_left_out(
    installed: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (installed / "acme_log_reader.py").write_text("import no_such_module")
    sys.modules.pop("acme_log_reader", None)
    assert "log_reader" not in {agent.name for agent in installed_agents()}
    said = capsys.readouterr()
    assert "acme-log-reader" in said.out + said.err + caplog.text


async def test_it_studies_again_only_when_something_changed(engine: AsyncEngine, tmp_path: Path) -> None:
    root, counter = codebase(tmp_path / "code"), Counter()
    repository, found = await read(engine, root)
    assert await go_round(engine, repository, found, [counter])
    assert not await go_round(engine, repository, found, [counter])
    assert counter.studies == 1
    (root / "setup.cfg").write_text("[metadata]\nname = other\n")
    assert not await go_round(engine, repository, walk(root), [counter])
    assert counter.studies == 2
    (root / "notes.txt").write_text("a new path")
    assert await go_round(engine, repository, walk(root), [counter])
    assert await scalar(engine, FOUND.format("counter")) == "files.counted 4"


async def test_one_that_fails_keeps_what_it_had_found_and_tries_again(engine: AsyncEngine, tmp_path: Path) -> None:
    root, counter = codebase(tmp_path / "code"), Counter()
    repository, found = await read(engine, root)
    await go_round(engine, repository, found, [counter])
    (root / "notes.txt").write_text("a new path")
    counter.fails = True
    assert not await go_round(engine, repository, walk(root), [counter])
    assert await scalar(engine, FOUND.format("counter")) == "files.counted 3"
    assert "nothing works today" in str(await scalar(engine, "SELECT error FROM agents"))
    counter.fails = False
    assert await go_round(engine, repository, walk(root), [counter])
    assert await scalar(engine, FOUND.format("counter")) == "files.counted 4"


async def test_what_an_agent_found_goes_with_it(engine: AsyncEngine, tmp_path: Path) -> None:
    repository, found = await read(engine, codebase(tmp_path / "code"))
    await go_round(engine, repository, found, [Counter()])
    assert await go_round(engine, repository, found, [])
    assert await scalar(engine, FOUND.format("counter")) is None
