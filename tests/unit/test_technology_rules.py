from __future__ import annotations

import pytest

from instance.learning.technology.rules import ECOSYSTEMS, RuleBook, rules_from, shipped_rules
from shared.errors import PermanentError

RULES = shipped_rules()


def test_there_are_rules_for_every_ecosystem_and_each_has_a_signal() -> None:
    assert len(RULES) >= 120
    assert {ecosystem for rule in RULES for ecosystem in rule.packages} == set(ECOSYSTEMS)
    assert all(rule.packages or rule.files or rule.settings for rule in RULES)


def test_ids_are_unique_and_what_excludes_a_rule_exists() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert {other for rule in RULES for other in rule.unless} <= set(ids)


def _ids(book: RuleBook, ecosystem: str, name: str) -> set[str]:
    return {id_ for id_, _ in book.of_package(ecosystem, name)}


@pytest.mark.parametrize(
    ("ecosystem", "name", "id_"),
    [
        ("npm", "@aws-sdk/client-s3", "aws-sdk"),
        ("pypi", "google-cloud-storage", "google-cloud"),
        ("golang", "github.com/labstack/echo/v4", "echo"),
        ("golang", "github.com/aws/aws-sdk-go-v2/service/s3", "aws-sdk"),
        ("maven", "org.springframework.boot:spring-boot-starter-web", "spring-boot"),
        ("maven", "org.apache.logging.log4j:log4j-core", "log4j"),
        ("maven", "junit:junit", "junit4"),
        ("hex", "phoenix_live_view", "phoenix-live-view"),
        ("cargo", "aws-sdk-s3", "aws-sdk"),
    ],
)
def test_a_package_is_known_by_its_name_or_by_what_stands_around_it(ecosystem: str, name: str, id_: str) -> None:
    assert id_ in _ids(RuleBook(RULES), ecosystem, name)


@pytest.mark.parametrize(
    ("ecosystem", "name"),
    [
        ("npm", "express-session"),
        ("golang", "github.com/labstack/echoes"),
        ("maven", "org.junitpioneer:x"),
        ("pypi", "google"),
    ],
)
def test_a_name_that_only_begins_alike_is_another_package(ecosystem: str, name: str) -> None:
    assert not _ids(RuleBook(RULES), ecosystem, name)


@pytest.mark.parametrize(
    ("path", "id_"),
    [
        ("web/next.config.mjs", "next"),
        (".github/workflows/ci.yml", "github-actions"),
        ("deploy/Dockerfile", "docker"),
        ("a/b/manage.py", "django"),
    ],
)
def test_a_file_is_known_by_its_name_or_its_path(path: str, id_: str) -> None:
    assert id_ in set(RuleBook(RULES).of_path(path))


@pytest.mark.parametrize(
    "path", ["workflows/ci.yml", "my-manage.py", "next.config.d/readme", "sub/.github/workflows/x/y.txt"]
)
def test_other_files_say_nothing(path: str) -> None:
    assert not set(RuleBook(RULES).of_path(path))


def test_modules_follow_from_packages_unless_a_rule_tells_them() -> None:
    (rule,) = rules_from("web", '[x]\npypi = ["my-web"]\nnpm = ["@my/web"]\nhex = ["my_web"]\nmodules.python = ["web"]')
    assert rule.modules == {"python": ("web",), "javascript": ("@my/web",), "elixir": ("MyWeb",)}


@pytest.mark.parametrize("source", ["[x]\nfile = ['a']", "[x"])
def test_a_rule_nobody_can_read_is_refused_by_name(source: str) -> None:
    with pytest.raises(PermanentError, match=r"rule x has unknown keys: file|the learned rules are not TOML"):
        rules_from("learned", source)
