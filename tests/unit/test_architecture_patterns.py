from __future__ import annotations

from instance.learning.architecture.conventions import RULES
from instance.learning.architecture.evidence import Evidence
from instance.learning.architecture.pattern import ArchitecturePattern
from instance.learning.architecture.study import architecture


def _patterns(*paths: str) -> list[ArchitecturePattern]:
    return architecture(Evidence(paths, {}, {}))


def _names(*paths: str) -> dict[str, int]:
    return {pattern.name: pattern.evidence for pattern in _patterns(*paths)}


def test_a_python_service_is_read_from_its_paths() -> None:
    found = _names(
        "pyproject.toml", "src/app/models/user.py", "src/app/models/order.py", "src/app/services/a.py",
        "src/app/services/b.py", "src/app/api/x.py", "src/app/api/y.py", "tests/unit/test_a.py",
        "tests/integration/test_b.py", "migrations/versions/001.py", "migrations/versions/002.py", "Dockerfile",
        "compose.yaml", ".github/workflows/ci.yml", "docs/conf.py",
    )  # fmt: skip
    assert found["layout.src"] == 6
    assert found["tests.levels"] == 2
    assert found["database.migrations"] == 2
    assert {"style.layered", "role.models", "container.image", "container.compose", "ci.github-actions"} <= found.keys()
    assert {"docs.sphinx", "packaging.pyproject", "tests.separate-tree"} <= found.keys()
    assert "tests.beside-code" not in found


def test_go_tests_lie_beside_the_code() -> None:
    found = _names("go.mod", "cmd/app/main.go", "internal/a/a.go", "internal/a/a_test.go", "internal/b/b_test.go")
    assert {"tests.beside-code", "layout.cmd-internal", "packaging.go-module"} <= found.keys()
    assert "tests.separate-tree" not in found


def test_a_monorepo_needs_two_packages() -> None:
    one = ("packages/a/package.json",)
    assert "layout.monorepo" not in _names(*one)
    assert _names(*one, "packages/b/package.json")["layout.monorepo"] == 2


def test_identity_depends_on_the_name_alone_and_no_path_is_told() -> None:
    here = _patterns("secretproject/src/a.py", "src/canary.py")
    there = _patterns("src/other.py")
    assert {p.name: p.fingerprint for p in there}.items() <= {p.name: p.fingerprint for p in here}.items()
    assert not any("canary" in text for pattern in here for text in (pattern.name, pattern.description))


def test_names_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
