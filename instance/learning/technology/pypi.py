"""PyPI: `pyproject.toml` in its dialects, requirements files, `setup.cfg` and `Pipfile`."""

from __future__ import annotations

import configparser
import re
from typing import Any, Final

from instance.learning.technology.dependency import LOCAL, Manifest, Scope
from instance.learning.technology.documents import (
    Table,
    UnreadableError,
    read_toml,
    rows,
    table,
    text,
    words,
)
from instance.learning.technology.requirement import add_requirement, scope_of_group

ECOSYSTEM: Final = "pypi"
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_OPTION = re.compile(r"\s--?(?:hash|global-option|config-settings)\b.*")


def read_pyproject(path: str, source: str) -> Manifest:
    """Read the standard tables and those of Poetry, PDM, uv and Hatch; every tool configured is a setting."""
    document = read_toml(source)
    manifest = Manifest(ECOSYSTEM, path)
    tools = table(document.get("tool"))
    manifest.settings.update(f"pyproject.toml:tool.{name}" for name in tools)
    for line in words(table(document.get("build-system")).get("requires")):
        add_requirement(manifest, line, Scope.BUILD)
    _project(manifest, table(document.get("project")))
    _groups(manifest, table(document.get("dependency-groups")), Scope.DEV)
    _poetry(manifest, table(tools.get("poetry")))
    _groups(manifest, table(table(tools.get("pdm")).get("dev-dependencies")), Scope.DEV)
    for line in words(table(tools.get("uv")).get("dev-dependencies")):
        add_requirement(manifest, line, Scope.DEV)
    for environment in table(table(tools.get("hatch")).get("envs")).values():
        for line in _lines(environment, "dependencies", "extra-dependencies"):
            add_requirement(manifest, line, Scope.DEV)
    return manifest


def _lines(value: object, *keys: str) -> list[str]:
    return [line for key in keys for line in words(table(value).get(key))]


def _project(manifest: Manifest, project: Table) -> None:
    manifest.call_own(text(project.get("name")))
    for line in words(project.get("dependencies")):
        add_requirement(manifest, line, Scope.RUNTIME)
    _groups(manifest, table(project.get("optional-dependencies")), Scope.OPTIONAL)


def _groups(manifest: Manifest, groups: Table, scope: Scope) -> None:
    for name, lines in groups.items():
        for line in words(lines):
            add_requirement(manifest, line, scope_of_group(name, scope))


def _poetry(manifest: Manifest, poetry: Table) -> None:
    manifest.call_own(text(poetry.get("name")))
    _poetry_table(manifest, table(poetry.get("dependencies")), Scope.RUNTIME)
    _poetry_table(manifest, table(poetry.get("dev-dependencies")), Scope.DEV)
    for group in table(poetry.get("group")).values():
        _poetry_table(manifest, table(table(group).get("dependencies")), Scope.DEV)


def _poetry_table(manifest: Manifest, entries: Table, scope: Scope) -> None:
    for name, value in entries.items():
        if name.lower() == "python":
            continue
        choice = next((table(choice) for choice in rows(value)), table(value))
        is_optional = choice.get("optional") is True and scope is Scope.RUNTIME
        manifest.add(name, _spec(value, choice), Scope.OPTIONAL if is_optional else scope)


def _spec(value: object, choice: Table) -> str:
    """Return the spec of `"^1.0"`, of `{version = "^1.0"}`, or `LOCAL`."""
    if "path" in choice:
        return LOCAL
    return text(value) or text(choice.get("version")) or text(choice.get("git"))


def read_requirements(path: str, source: str) -> Manifest:
    """Read a requirements or constraints file; `-r` and `-c` name files that are read on their own."""
    manifest = Manifest(ECOSYSTEM, path)
    scope = scope_of_group(path, Scope.RUNTIME)
    for line in source.replace("\\\n", " ").splitlines():
        requirement = _OPTION.sub("", _COMMENT.sub("", line)).strip()
        if requirement and not requirement.startswith(("-", ".", "/")) and "://" not in requirement.partition("@")[0]:
            add_requirement(manifest, requirement, scope)
    return manifest


def read_setup_cfg(path: str, source: str) -> Manifest:
    """Read what setuptools reads; every section is a setting."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(source)
    except (configparser.Error, ValueError) as error:
        raise UnreadableError("not an INI file") from error
    manifest = Manifest(ECOSYSTEM, path)
    manifest.settings.update(f"setup.cfg:{section}" for section in parser.sections())
    manifest.call_own(parser.get("metadata", "name", fallback=""))
    keys = {"install_requires": Scope.RUNTIME, "setup_requires": Scope.BUILD, "tests_require": Scope.DEV}
    for key, scope in keys.items():
        _ini_lines(manifest, parser.get("options", key, fallback=""), scope)
    if parser.has_section("options.extras_require"):
        for name, lines in parser.items("options.extras_require"):
            _ini_lines(manifest, lines, scope_of_group(name, Scope.OPTIONAL))
    return manifest


def _ini_lines(manifest: Manifest, lines: str, scope: Scope) -> None:
    for line in lines.splitlines():
        if line.strip() and not line.startswith("file:"):
            add_requirement(manifest, line.strip(), scope)


def read_pipfile(path: str, source: str) -> Manifest:
    """Read what Pipenv installs."""
    document = read_toml(source)
    manifest = Manifest(ECOSYSTEM, path)
    for key, scope in {"packages": Scope.RUNTIME, "dev-packages": Scope.DEV}.items():
        for name, value in table(document.get(key)).items():
            spec: Any = _spec(value, table(value))
            manifest.add(name, "" if spec == "*" else spec, scope)
    return manifest
