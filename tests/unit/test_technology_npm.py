from __future__ import annotations

import json

import pytest

from instance.learning.technology.dependency import Dependency, Scope
from instance.learning.technology.manifests import read_manifest
from instance.learning.technology.merging import merged

PACKAGE = json.dumps(
    {
        "name": "shop",
        "packageManager": "pnpm@9.1.0",
        "jest": {},
        "dependencies": {
            "react": "^18.2.0",
            "lodash-es": "npm:lodash@4.17.21",
            "own": "workspace:*",
            "ui": "file:../ui",
        },
        "peerDependencies": {"vue": ">=3", "preact": "*"},
        "peerDependenciesMeta": {"preact": {"optional": True}},
        "optionalDependencies": {"fsevents": "^2"},
        "devDependencies": {"@types/node": "^20"},
    }
)


def _read(*files: tuple[str, str]) -> tuple[Dependency, ...]:
    return merged([read_manifest(path, source) for path, source in files])


def _versions(path: str, source: str) -> dict[str, set[str | None]]:
    versions: dict[str, set[str | None]] = {}
    for each in _read((path, source)):
        versions.setdefault(each.name, set()).add(each.version)
    return versions


def test_a_package_says_what_it_needs_and_local_packages_are_left_out() -> None:
    manifest = read_manifest("package.json", PACKAGE)
    assert {(each.name, each.spec, each.scope) for each in manifest.dependencies} == {
        ("react", "^18.2.0", Scope.RUNTIME),
        ("lodash", "4.17.21", Scope.RUNTIME),
        ("vue", ">=3", Scope.PEER),
        ("preact", "*", Scope.OPTIONAL),
        ("fsevents", "^2", Scope.OPTIONAL),
        ("@types/node", "^20", Scope.DEV),
    }
    assert manifest.own == {"shop"}
    assert {"package.json:jest", "packageManager:pnpm"} <= manifest.settings


def test_an_alias_may_hide_a_scoped_package() -> None:
    manifest = read_manifest("package.json", '{"dependencies": {"x": "npm:@a/b@^1.0", "y": "npm:@c/d"}}')
    assert [(each.name, each.spec) for each in manifest.dependencies] == [("@a/b", "^1.0"), ("@c/d", "")]


@pytest.mark.parametrize(
    "lock",
    [
        {
            "dependencies": {
                "react": {"version": "18.2.0", "dependencies": {"js": {"version": "1.0.0"}}},
                "js": {"version": "2.0.0"},
            }
        },
        {
            "packages": {
                "": {"name": "shop"},
                "packages/ui": {"name": "ui"},
                "node_modules/ui": {"link": True},
                "node_modules/react": {"version": "18.2.0"},
                "node_modules/js": {"version": "2.0.0"},
                "node_modules/react/node_modules/js": {"version": "1.0.0"},
            }
        },
    ],
    ids=["version 1", "version 3"],
)
def test_package_locks_of_both_forms_say_the_same(lock: object) -> None:
    assert _versions("package-lock.json", json.dumps(lock)) == {"react": {"18.2.0"}, "js": {"1.0.0", "2.0.0"}}


YARN_1 = """# yarn lockfile v1

"@babel/core@^7.0.0", "@babel/core@^7.1.0":
  version "7.24.0"
  dependencies:
    semver "^6.3.1"

semver@^6.3.1:
  version "6.3.1"
"""
YARN_BERRY = """__metadata:
  version: 8

"@babel/core@npm:^7.0.0":
  version: 7.24.0
  resolution: "@babel/core@npm:7.24.0"

"shop@workspace:.":
  version: 0.0.0-use.local

"semver@npm:^6.3.1":
  version: 6.3.1
"""


@pytest.mark.parametrize("lock", [YARN_1, YARN_BERRY], ids=["classic", "berry"])
def test_yarn_locks_of_both_forms_say_the_same(lock: str) -> None:
    assert _versions("yarn.lock", lock) == {"@babel/core": {"7.24.0"}, "semver": {"6.3.1"}}


@pytest.mark.parametrize(
    "keys",
    [
        ["/@babel/core/7.24.0", "/semver/6.3.1_react@18.0.0"],
        ["/@babel/core@7.24.0", "/semver@6.3.1(react@18.0.0)"],
        ["'@babel/core@7.24.0'", "semver@6.3.1"],
    ],
    ids=["version 5", "version 6", "version 9"],
)
def test_pnpm_locks_of_three_forms_say_the_same(keys: list[str]) -> None:
    lock = "packages:\n" + "".join(f"  {key}:\n    resolution: {{}}\n" for key in keys)
    assert _versions("pnpm-lock.yaml", lock) == {"@babel/core": {"7.24.0"}, "semver": {"6.3.1"}}


def test_manifest_and_lock_make_one_package_and_further_versions_are_indirect() -> None:
    lock = {"packages": {f"node_modules/{path}": {"version": version} for path, version in (
        ("js", "1.9.0"), ("a/node_modules/js", "2.1.0"), ("a", "3.0.0"),
    )}}  # fmt: skip
    package = ("package.json", '{"dependencies": {"js": "^2.0.0"}}')
    found = _read(package, ("package-lock.json", json.dumps(lock)))
    assert [(each.name, each.spec, each.version, each.scope) for each in found] == [
        ("a", "", "3.0.0", Scope.INDIRECT),
        ("js", "^2.0.0", "2.1.0", Scope.RUNTIME),
        ("js", "", "1.9.0", Scope.INDIRECT),
    ]


def test_a_workspace_offers_versions_and_its_packages_are_nobodys_dependency() -> None:
    found = _read(
        ("pnpm-workspace.yaml", "catalog:\n  react: ^18\ncatalogs:\n  old:\n    vue: ^2\n"),
        ("packages/a/package.json", '{"name": "a", "dependencies": {"react": "catalog:", "vue": "catalog:old"}}'),
        ("packages/b/package.json", '{"name": "b", "dependencies": {"a": "^1.0"}}'),
    )
    assert [(each.name, each.spec) for each in found] == [("react", "^18"), ("vue", "^2")]


def test_the_strongest_scope_wins() -> None:
    first = ("a/package.json", '{"devDependencies": {"zod": "^3"}}')
    second = ("b/package.json", '{"dependencies": {"zod": "^3.22"}}')
    for files in ((first, second), (second, first)):
        (found,) = _read(*files)
        assert (found.spec, found.scope, found.source) == ("^3.22", Scope.RUNTIME, "b/package.json")
