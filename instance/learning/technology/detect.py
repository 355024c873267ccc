"""What a repository is built with: manifests, configuration files and imports weighed against the rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, NamedTuple

from instance.learning.technology.confidence import Evidence, Kind, confidence, import_kind
from instance.learning.technology.dependency import STRENGTH, Dependency, Manifest, Scope
from instance.learning.technology.documents import UnreadableError
from instance.learning.technology.manifests import is_manifest, read_manifest
from instance.learning.technology.merging import merged
from instance.learning.technology.places import Place, place_of
from instance.learning.technology.rules import Rule, RuleBook, module_of, shipped_rules
from instance.learning.technology.usage import Usage
from instance.learning.testfiles import is_test_folder

CONFIDENCE_OVER: Final = 0.5  # more likely than not
_CANDIDATE_FILES_MIN: Final = 5
_CANDIDATE_SHARE_MIN: Final = 0.02
_LANGUAGE_OF: Final = {
    "npm": "javascript",
    "pypi": "python",
    "cargo": "rust",
    "hex": "elixir",
    "golang": "go",
    "maven": "java",
}


class Framework(NamedTuple):
    """One framework found; `version` is what is locked, else what is asked for, else ""."""

    id: str
    name: str
    category: str
    version: str
    confidence: float
    evidence: tuple[Evidence, ...]
    importing_files: int


class Candidate(NamedTuple):
    """A package imported all over a repository that no rule knows: worth finding out about."""

    ecosystem: str
    name: str
    version: str
    importing_files: int
    share: float


@dataclass(slots=True)
class Technologies:
    """What a repository is built with; `unreadable` are manifests by path with the reason, `dropped` counts entries."""

    frameworks: tuple[Framework, ...]
    dependencies: tuple[Dependency, ...]
    undetermined: tuple[Candidate, ...]
    unreadable: dict[str, str]
    dropped: int


@dataclass(slots=True)
class _Findings:
    """What speaks for one rule."""

    packages: dict[str, Dependency] = field(default_factory=dict)
    files: int = 0
    settings: int = 0


def technologies(
    manifests: Mapping[str, str], paths: Sequence[str], usage: Usage, rules: Sequence[Rule] | None = None
) -> Technologies:
    """Return what a repository is built with; never raises on any text.

    `manifests` are the texts of the files `is_manifest` names, by path; `paths` every path of the repository (posix,
    relative); `usage` what its files import. Own packages and what lies beside the product are left out.
    """
    book = _shipped_book() if rules is None else RuleBook(rules)
    read, unreadable = _read(manifests)
    dependencies = merged(read)
    return Technologies(
        frameworks=_frameworks(book, read, dependencies, paths, usage),
        dependencies=dependencies,
        undetermined=tuple(_candidates(book, dependencies, usage)),
        unreadable=unreadable,
        dropped=sum(manifest.dropped for manifest in read),
    )


@cache
def _shipped_book() -> RuleBook:
    return RuleBook(shipped_rules())


def _read(texts: Mapping[str, str]) -> tuple[list[Manifest], dict[str, str]]:
    read: list[Manifest] = []
    unreadable: dict[str, str] = {}
    for path, source in sorted(texts.items()):
        if is_manifest(path):
            try:
                read.append(read_manifest(path, source))
            except UnreadableError as error:
                unreadable[path] = str(error)
    return read, unreadable


def _frameworks(
    book: RuleBook,
    manifests: Sequence[Manifest],
    dependencies: Sequence[Dependency],
    paths: Sequence[str],
    usage: Usage,
) -> tuple[Framework, ...]:
    own = {id_ for each in manifests for name in each.own for id_, _ in book.of_package(each.ecosystem, name)}
    findings = _findings(book, manifests, dependencies, paths)
    weighed = (_weigh(rule, findings.get(rule.id, _Findings()), usage) for rule in book.rules.values())
    found = {
        framework.id: framework
        for framework in weighed
        if framework.id not in own and framework.confidence > CONFIDENCE_OVER
    }
    return tuple(
        framework for id_, framework in sorted(found.items()) if book.rules[id_].unless.isdisjoint(found.keys())
    )


def _findings(
    book: RuleBook, manifests: Sequence[Manifest], dependencies: Sequence[Dependency], paths: Sequence[str]
) -> dict[str, _Findings]:
    findings: dict[str, _Findings] = {}
    for dependency in dependencies:
        for id_, known in book.of_package(dependency.ecosystem, dependency.name):
            findings.setdefault(id_, _Findings()).packages.setdefault(known, dependency)
    for path in paths:
        if _says_how(path):
            for id_ in set(book.of_path(path)):
                findings.setdefault(id_, _Findings()).files += 1
    configured = {setting for manifest in manifests for setting in manifest.settings}
    for rule in book.rules.values():
        if both := rule.settings & configured:
            findings.setdefault(rule.id, _Findings()).settings = len(both)
    return findings


def _says_how(path: str) -> bool:
    """Tell whether a file's name says how the product is built or tested, and not what a test reads."""
    place = place_of(path)
    return place is Place.CODE or (place is Place.TEST and is_test_folder(path.rpartition("/")[0]))


def _weigh(rule: Rule, findings: _Findings, usage: Usage) -> Framework:
    importing, evidence = _imports(rule, usage)
    if findings.packages:
        strongest = min((each.scope for each in findings.packages.values()), key=lambda scope: STRENGTH[scope])
        evidence.append(Evidence(Kind.of_scope(strongest), len(findings.packages)))
    if findings.files:
        evidence.append(Evidence(Kind.FILE, findings.files))
    if findings.settings:
        evidence.append(Evidence(Kind.SETTING, findings.settings))
    evidence.sort()
    weight = confidence(evidence, is_tool=rule.is_tool)
    version = _version(rule, findings.packages)
    return Framework(rule.id, rule.name, rule.category, version, weight, tuple(evidence), importing)


def _imports(rule: Rule, usage: Usage) -> tuple[int, list[Evidence]]:
    """Return in how many files of the product a framework is imported, with what that says."""
    evidence: dict[Kind, int] = {}
    importing = 0
    for language, modules in rule.modules.items():
        code, tests = usage.importing(language, modules)
        importing += code
        if code:
            kind = import_kind(code, usage.files[language])
            evidence[kind] = evidence.get(kind, 0) + code
        if tests:
            evidence[Kind.TEST_IMPORT] = evidence.get(Kind.TEST_IMPORT, 0) + tests
    return importing, [Evidence(kind, count) for kind, count in evidence.items()]


def _version(rule: Rule, packages: Mapping[str, Dependency]) -> str:
    for names in rule.packages.values():
        for name in names:
            if name in packages:
                return packages[name].version or packages[name].spec
    return ""


def _candidates(book: RuleBook, dependencies: Sequence[Dependency], usage: Usage) -> Iterator[Candidate]:
    for each in dependencies:
        language = _LANGUAGE_OF[each.ecosystem]
        importing = usage.importing(language, [module_of(each.ecosystem, each.name)])[0]
        share = importing / max(usage.files[language], 1)
        is_wide = importing >= _CANDIDATE_FILES_MIN and share >= _CANDIDATE_SHARE_MIN
        if is_wide and each.scope is not Scope.INDIRECT and not any(book.of_package(each.ecosystem, each.name)):
            yield Candidate(each.ecosystem, each.name, each.version or each.spec, importing, round(share, 4))
