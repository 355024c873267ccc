"""How a repository is laid out, read from the paths of its files alone: conventions with public names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from instance.learning.architecture.pattern import ArchitecturePattern, pattern


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


def conventions(paths: Sequence[str]) -> Iterator[ArchitecturePattern]:
    """Yield the conventions a repository's paths (posix, relative) show."""
    for rule in RULES:
        matches = [match for path in paths if (match := rule.path.search(path))]
        distinct = {match[1] for match in matches} if rule.path.groups else matches
        if len(distinct) >= rule.least:
            yield pattern(rule.name, len(distinct), rule.description)
