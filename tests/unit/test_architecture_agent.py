"""The architect, on a directory that was read."""

from __future__ import annotations

from pathlib import Path

import pytest

from instance.agents.architect import Architect, draw
from instance.agents.codebase import Codebase
from instance.analysis.languages import LANGUAGES
from instance.analysis.parse import parse
from instance.analysis.workspace import walk
from instance.learning.facts import gather_facts, pack_facts
from instance.learning.idioms import FileContext
from instance.learning.vocabulary import vocabulary


@pytest.fixture
def codebase(tmp_path: Path) -> Codebase:
    """A small service whose twelve modules import each other in a ring."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/__init__.py").touch()
    for at in range(12):
        (tmp_path / f"app/m{at}.py").write_text(f"from app import m{(at + 1) % 12}\nfrom fastapi import FastAPI\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "app"\n[project.scripts]\napp = "app:main"\n')
    (tmp_path / "compose.yaml").write_text("services:\n  db:\n    image: postgres:17\n")
    found = walk(tmp_path)
    facts = {}
    for file in found.files:
        tokens = parse((tmp_path / file.path).read_bytes(), LANGUAGES[file.language])
        context = FileContext(vocabulary(file.language), frozenset({"app"}))
        facts[file.path] = pack_facts(gather_facts(file.path, tokens, context))
    return Codebase(found, facts)


def test_the_architect_finds_what_the_code_and_its_surroundings_show(codebase: Codebase) -> None:
    found = {finding.name: finding for finding in Architect().study(codebase)}
    assert found["dependency.cycles"].files == 13  # twelve, coarse
    assert found["dependency.cycles"].language == "python"
    assert found["entry.http"].language == ""
    assert {"entry.executable", "service.postgres", "container.compose", "packaging.pyproject"} <= found.keys()
    assert len({finding.fingerprint for finding in found.values()}) == len(found)


def test_a_finding_of_one_language_is_another_than_that_of_the_next(codebase: Codebase) -> None:
    cycles = next(finding for finding in Architect().study(codebase) if finding.name == "dependency.cycles")
    assert cycles.identity == "dependency.cycles python"
    layout = next(finding for finding in Architect().study(codebase) if finding.name == "packaging.pyproject")
    assert layout.identity == "packaging.pyproject"


def test_the_architect_reads_manifests_and_settings() -> None:
    architect = Architect()
    assert all(map(architect.reads, ("go.mod", "a/tsconfig.base.json", "docker-compose.dev.yml", "deploy/x.yaml")))
    assert not any(map(architect.reads, ("a.py", "data.json", "docs/x.yaml", "README.md")))


def test_people_see_the_names_of_their_own_modules(codebase: Codebase) -> None:
    report = draw(codebase)
    assert len(report.languages[0].cycles[0]) == 12
    assert "app/m0.py" in report.languages[0].cycles[0]
    assert report.entries["entry.executable"] == ["pyproject.toml"]
    assert report.services == {"postgres": 1}
