"""How a repository is laid out, read from the paths of its files alone: conventions with public names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from schemas.fingerprint import fingerprint

VIEW = "architecture"
_LANGUAGE = "any"


class ArchitecturePattern(NamedTuple):
    """One convention: its public name, its identity everywhere, how many paths speak for it, and what it means."""

    name: str
    fingerprint: bytes
    evidence: int
    description: str


class Rule(NamedTuple):
    """A convention holds when at least `least` distinct matches of `path` exist; groups name what is counted."""

    name: str
    path: re.Pattern[str]
    description: str
    least: int = 1


def _rule(name: str, path: str, description: str, least: int = 1) -> Rule:
    return Rule(name, re.compile(path), description, least)


_CODE = r"\.(?:py|js|mjs|cjs|jsx|ts|tsx|go|rs|java|kt|exs?|rb)$"
_ROOT_OR_PACKAGE = r"(?:^|^(?:packages|apps|services|crates|libs)/[^/]+/)"

RULES = (
    _rule("layout.src", _ROOT_OR_PACKAGE + r"src/.+" + _CODE, "source code lies under src/"),
    _rule("layout.cmd-internal", r"^(?:cmd|internal)/.+\.go$", "Go entry points in cmd/, the rest in internal/", 2),
    _rule("layout.lib", r"^lib/.+" + _CODE, "source code lies under lib/"),
    _rule("layout.maven", r"(?:^|/)src/main/java/.+\.java$", "the standard directories of Maven and Gradle"),
    _rule("layout.umbrella", r"^apps/([^/]+)/mix\.exs$", "an Elixir umbrella of applications", 2),
    _rule(
        "layout.monorepo",
        r"^((?:packages|apps|services|crates|libs|modules)/[^/]+)/"
        r"(?:package\.json|pyproject\.toml|go\.mod|Cargo\.toml|mix\.exs|pom\.xml|build\.gradle(?:\.kts)?)$",
        "several packages with their own manifests in one repository",
        2,
    ),
    _rule(
        "workspace.javascript",
        r"^(?:pnpm-workspace\.yaml|lerna\.json|nx\.json|turbo\.json|rush\.json)$",
        "a JavaScript workspace tool",
    ),
    _rule("workspace.go", r"^go\.work$", "a Go workspace"),
    _rule("workspace.bazel", r"^(?:WORKSPACE(?:\.bazel)?|MODULE\.bazel)$", "built with Bazel"),
    _rule("tests.separate-tree", r"(?:^|/)(?:tests?|spec|__tests__)/.*" + _CODE, "tests in a tree of their own", 2),
    _rule(
        "tests.beside-code",
        r"^(?!(?:.*/)?(?:tests?|spec|__tests__)/).*"
        r"(?:_test\.(?:go|py|exs)|\.(?:test|spec)\.[jt]sx?|/test_[^/]+\.py|Test\.java)$",
        "tests beside the code they test",
        2,
    ),
    _rule(
        "tests.levels",
        r"(?:^|/)tests?/(unit|integration|e2e|contract|functional|acceptance)/",
        "tests sorted by level", 2,
    ),
    _rule("tests.fixtures", r"(?:^|/)(?:conftest\.py$|fixtures?/|testdata/)", "shared fixtures for tests"),
    _rule("tests.snapshots", r"(?:^|/)__snapshots__/", "snapshot tests"),
    _rule("tests.benchmarks", r"(?:^|/)bench(?:mark)?s?/.+" + _CODE, "benchmarks are kept with the code"),
    _rule(
        "database.migrations",
        r"(?:^|/)(?:migrations|migrate|alembic/versions|db/migrate)/.+\.(?:sql|py|exs|rb|ts|js|go)$",
        "the schema evolves by migrations", 2,
    ),
    _rule("ci.github-actions", r"^\.github/workflows/[^/]+\.ya?ml$", "continuous integration by GitHub Actions"),
    _rule("ci.gitlab", r"^\.gitlab-ci\.yml$", "continuous integration by GitLab"),
    _rule("ci.jenkins", r"^Jenkinsfile$", "continuous integration by Jenkins"),
    _rule("ci.circleci", r"^\.circleci/config\.yml$", "continuous integration by CircleCI"),
    _rule("ci.azure", r"^azure-pipelines\.ya?ml$", "continuous integration by Azure Pipelines"),
    _rule("container.image", r"(?:^|/)(?:Dockerfile|Containerfile)(?:\.[^/]+)?$", "ships as a container image"),
    _rule(
        "container.compose",
        r"(?:^|/)(?:docker-)?compose(?:\.[^/]+)?\.ya?ml$",
        "services composed for one machine",
    ),
    _rule("deploy.kubernetes", r"(?:^|/)(?:k8s|kubernetes|kustomize|manifests)/.+\.ya?ml$", "deployed to Kubernetes"),
    _rule("deploy.helm", r"(?:^|/)Chart\.yaml$", "deployed by a Helm chart"),
    _rule("deploy.terraform", r"\.tf$", "infrastructure described in Terraform"),
    _rule("docs.sphinx", r"(?:^|/)docs?/(?:source/)?conf\.py$", "documentation by Sphinx"),
    _rule("docs.mkdocs", r"^mkdocs\.ya?ml$", "documentation by MkDocs"),
    _rule("docs.docusaurus", r"(?:^|/)docusaurus\.config\.[jt]s$", "documentation by Docusaurus"),
    _rule("docs.decisions", r"(?:^|/)(?:adr|adrs|decisions)/[^/]+\.md$", "decisions are recorded", 2),
    _rule("docs.changelog", r"^(?:CHANGELOG|CHANGES|HISTORY)(?:\.\w+)?$", "a changelog is kept"),
    _rule("api.openapi", r"(?:^|/)(?:openapi|swagger)\.(?:ya?ml|json)$", "an API described with OpenAPI"),
    _rule("api.protobuf", r"\.proto$", "messages described with Protocol Buffers"),
    _rule("api.graphql", r"\.graphqls?$", "an API described with GraphQL"),
    _rule("quality.pre-commit", r"^\.pre-commit-config\.yaml$", "checks run before each commit"),
    _rule("quality.editorconfig", r"^\.editorconfig$", "editors share their settings"),
    _rule("quality.makefile", r"^(?:Makefile|justfile|Taskfile\.ya?ml)$", "tasks have names in one file"),
    _rule("packaging.pyproject", r"(?:^|/)pyproject\.toml$", "packaged by pyproject.toml"),
    _rule("packaging.setup-py", r"(?:^|/)setup\.py$", "packaged by setup.py"),
    _rule("packaging.npm", r"(?:^|/)package\.json$", "packaged for npm"),
    _rule("packaging.go-module", r"(?:^|/)go\.mod$", "a Go module"),
    _rule("packaging.cargo", r"(?:^|/)Cargo\.toml$", "packaged by Cargo"),
    _rule("packaging.maven", r"(?:^|/)pom\.xml$", "built by Maven"),
    _rule("packaging.gradle", r"(?:^|/)build\.gradle(?:\.kts)?$", "built by Gradle"),
    _rule("packaging.mix", r"(?:^|/)mix\.exs$", "built by Mix"),
    _rule(
        "lockfile",
        r"(?:^|/)(?:poetry\.lock|uv\.lock|pdm\.lock|package-lock\.json|yarn\.lock|pnpm-lock\.yaml|"
        r"Cargo\.lock|go\.sum|mix\.lock)$",
        "dependencies are locked",
    ),
)  # fmt: skip

_ROLE_WORDS = {
    "handlers": "handler handlers", "controllers": "controller controllers", "models": "model models",
    "services": "service services", "repositories": "repository repositories", "store": "store stores",
    "api": "api apis", "routes": "route routes router routers", "views": "view views", "schemas": "schema schemas",
    "middleware": "middleware middlewares", "domain": "domain", "entities": "entity entities",
    "adapters": "adapter adapters", "ports": "port ports", "usecases": "usecase usecases use_cases",
    "components": "component components", "hooks": "hook hooks", "pages": "page pages",
    "jobs": "job jobs worker workers",
    "events": "event events", "commands": "command commands", "queries": "query queries", "config": "config settings",
    "clients": "client clients", "plugins": "plugin plugins", "cli": "cli",
}  # fmt: skip
_ROLE_OF = {word: role for role, words in _ROLE_WORDS.items() for word in words.split()}
_STYLES = (
    ("style.layered", frozenset({"handlers", "controllers", "services", "repositories", "models", "store", "api"}), 3,
     "layers by role: the outside, the services, the store"),
    ("style.hexagonal", frozenset({"ports", "adapters", "domain"}), 2, "ports and adapters around a domain"),
    ("style.cqrs", frozenset({"commands", "queries", "events"}), 2, "commands apart from queries"),
    ("style.components", frozenset({"components", "hooks", "pages"}), 2, "a user interface of components"),
)  # fmt: skip


def architecture(paths: Iterable[str]) -> list[ArchitecturePattern]:
    """Return the conventions a repository's paths (posix, relative) show, sorted by name."""
    everything = list(paths)
    found = [*_conventions(everything), *_roles(everything)]
    return sorted(found, key=lambda pattern: pattern.name)


def _conventions(paths: list[str]) -> Iterable[ArchitecturePattern]:
    for rule in RULES:
        matches = [match for path in paths if (match := rule.path.search(path))]
        distinct = {match[1] for match in matches} if rule.path.groups else matches
        if len(distinct) >= rule.least:
            yield _pattern(rule.name, len(distinct), rule.description)


def _roles(paths: list[str]) -> Iterable[ArchitecturePattern]:
    """Yield the directories that bear a public role, and the styles that several roles together make."""
    files: dict[str, int] = {}
    for path in paths:
        roles = {_ROLE_OF[part] for part in path.lower().split("/")[:-1] if part in _ROLE_OF}
        for role in roles:
            files[role] = files.get(role, 0) + 1
    for role, count in files.items():
        if count >= 2:  # noqa: PLR2004 - one file is an accident
            yield _pattern(f"role.{role}", count, f"a directory for {role}")
    for name, style, least, description in _STYLES:
        present = style & files.keys()
        if len(present) >= least:
            yield _pattern(name, sum(files[role] for role in present), description)


def _pattern(name: str, evidence: int, description: str) -> ArchitecturePattern:
    return ArchitecturePattern(name, fingerprint(_LANGUAGE, VIEW, name), evidence, description)
