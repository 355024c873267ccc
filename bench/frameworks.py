"""How well frameworks are recognised: precision and recall on real package trees a person has labelled.

The labels (`frameworks.toml`) were written before the detector ran on these trees; the held out ones were
never used to improve it. A tree's group is its registry,
or what its Debian package is written for.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.fetching import cache_directory, keep
from bench.report import print_expectation, print_machine
from instance.agents.manifests import own_modules_of
from instance.analysis.languages import LANGUAGES
from instance.analysis.parse import parse
from instance.analysis.workspace import Workspace, read_source, walk
from instance.learning.imports import read_imports
from instance.learning.technology.detect import Technologies, technologies
from instance.learning.technology.manifests import is_manifest
from instance.learning.technology.usage import Usage

PRECISION_MIN: Final = 0.9
RECALL_MIN: Final = 0.9
_GROUPS: Final = ("npm", "pypi", "cargo", "hex", "golang", "maven")


class Label(NamedTuple):
    """One tree as a person reads it."""

    registry: str
    name: str
    group: str
    version: str
    uses: frozenset[str]
    maybe: frozenset[str]
    is_held_out: bool


class Score(NamedTuple):
    """What the detector said of one tree: right, wrong and missing ids, and how long it took."""

    label: Label
    right: frozenset[str]
    wrong: frozenset[str]
    missed: frozenset[str]
    seconds: float


def main() -> None:
    """Print a line for each tree, the mistakes, and the table by group."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="packages to look at; default: all that are labelled")
    wanted = set(parser.parse_args().names)
    print_machine()
    scores = [score for label in labels() if not wanted or label.name in wanted for score in _scored(label)]
    for score in scores:
        if score.wrong or score.missed:
            print(f"  {score.label.name}: wrong {_listed(score.wrong)}; missed {_listed(score.missed)}")
    _print_groups(scores)


def labels() -> list[Label]:
    """Return every labelled tree."""
    document = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return [_label(registry, name, entry) for registry, entries in document.items() for name, entry in entries.items()]


def _label(registry: str, name: str, entry: Mapping[str, Any]) -> Label:
    uses, maybe = frozenset(entry["uses"]), frozenset(entry.get("maybe", ()))
    return Label(
        registry, name, entry.get("language", registry), entry["version"], uses, maybe, entry.get("held_out", False)
    )


def look(root: Path) -> Technologies:
    """Return what the detector says of a directory."""
    workspace = walk(root)
    texts = {path: (root / path).read_text("utf-8", "replace") for path in workspace.paths if is_manifest(path)}
    return technologies(texts, workspace.paths, _usage(workspace))


def _usage(workspace: Workspace) -> Usage:
    own, usage = own_modules_of(workspace), Usage()
    for file in workspace.files:
        tokens = parse(read_source(workspace.root, file.path), LANGUAGES[file.language])
        usage.add(file.path, file.language, read_imports(tokens), own[file.language])
    return usage


def _scored(label: Label) -> Iterator[Score]:
    root = _tree(label)
    if root is None:
        return
    if root.name != label.version:
        print(f"{label.name}: labelled in version {label.version}, looked at in {root.name}", file=sys.stderr)
    started = time.process_time()
    found = frozenset(framework.id for framework in look(root).frameworks)
    seconds = time.process_time() - started
    score = Score(label, found & label.uses, found - label.uses - label.maybe, label.uses - found, seconds)
    print(
        f"{label.group:8} {label.name:40} right {len(score.right):3} wrong {len(score.wrong):3}"
        f" missed {len(score.missed):3} {seconds:6.1f} s",
        flush=True,
    )
    yield score


def _tree(label: Label) -> Path | None:
    """Return where a package's source lies, fetching it the first time; None when it cannot be had."""
    home = cache_directory() / "frameworks" / label.registry / label.name
    if kept := next(home.glob("*"), None):
        return kept
    return keep(label.registry, label.name, label.version, home, _checkout)


def _checkout(tree: Path) -> Path:
    """Make a released tree look like the checkout an instance studies, with nothing of the release ignored."""
    for ignoring in tree.rglob(".gitignore"):
        ignoring.unlink()
    subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
    return tree


def _print_groups(scores: list[Score]) -> None:
    groups = {group: [score for score in scores if score.label.group == group] for group in _GROUPS}
    groups["all"] = scores
    groups["held out"] = [score for score in scores if score.label.is_held_out]
    print(f"\n{'group':10} {'trees':>6} {'labels':>7} {'precision':>10} {'recall':>8}")
    for group, chosen in groups.items():
        precision, recall = _precision_and_recall(chosen)
        labelled = sum(len(score.label.uses) for score in chosen)
        print(f"{group:10} {len(chosen):6} {labelled:7} {precision:10.3f} {recall:8.3f}")
    precision, recall = _precision_and_recall(scores)
    print_expectation(f"precision >= {PRECISION_MIN}", met=precision >= PRECISION_MIN)
    print_expectation(f"recall >= {RECALL_MIN}", met=recall >= RECALL_MIN)


def _precision_and_recall(scores: list[Score]) -> tuple[float, float]:
    """Return both over all decisions of some trees; where nothing was to decide, nothing went wrong."""
    sums: Counter[str] = Counter()
    for score in scores:
        sums += Counter(right=len(score.right), wrong=len(score.wrong), missed=len(score.missed))
    right = sums["right"]
    return right / max(right + sums["wrong"], 1), right / max(right + sums["missed"], 1)


def _listed(ids: frozenset[str]) -> str:
    return ", ".join(sorted(ids)) or "nothing"


if __name__ == "__main__":
    main()
