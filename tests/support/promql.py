"""What expressions of Prometheus are about, and whether they mean anything."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.metrics import MetricWrapperBase

from shared.gauges import Reading
from shared.metrics import Metrics

SUFFIXES: Final = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
EVERYWHERE: Final = {"job", "instance", "le"}
"""Labels that Prometheus adds, and that of histograms."""

_KEYWORDS: Final = r"\b(?:by|without|on|ignoring|group_left|group_right)\b"
_GROUPED: Final = re.compile(_KEYWORDS + r"\s*\(([^)]*)\)")
_SELECTED: Final = re.compile(r"\b([a-zA-Z_]\w*)\s*\{([^}]*)\}")
_MATCHER: Final = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_ASIDE: Final = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"|" + _GROUPED.pattern)
_NAME: Final = re.compile(r"(?<![\w.])[a-zA-Z_]\w*\b(?!\s*\()")
_WORDS: Final = {"by", "and", "or", "unless", "offset", "bool"}


def promtool(*arguments: str, text: str | None = None) -> None:
    """Run promtool; what it finds wrong fails the test. Skips where it is not installed."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed; it comes with Prometheus")
    done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def check_syntax(expressions: Iterable[str], directory: Path) -> None:
    """Have promtool read expressions."""
    rules = [f"      - {{record: 'a:b:c{n}', expr: '{_escaped(one)}'}}\n" for n, one in enumerate(expressions)]
    file = directory / "expressions.yml"
    file.write_text(f"groups:\n  - name: expressions\n    rules:\n{''.join(rules)}", encoding="utf-8")
    promtool("check", "rules", str(file))


def check_names(expression: str) -> None:
    """See that every series of an expression exists, with every label it is asked for."""
    known = series() | {"up": set()}
    named = set(_NAME.findall(_ASIDE.sub(" ", expression))) - _WORDS
    assert named, f"no series in {expression}"
    assert named <= known.keys(), f"no such series: {named - known.keys()}"
    labels = set().union(*(known[name] for name in named))
    asked = {label for group in _GROUPED.findall(expression) for label in re.findall(r"\w+", group)}
    assert asked <= labels | EVERYWHERE, f"{expression}: no such label: {asked - labels - EVERYWHERE}"
    for name, matchers in _SELECTED.findall(expression):
        matched = set(_MATCHER.findall(matchers))
        assert matched <= known[name] | EVERYWHERE, f"{name} has no label {matched - known[name] - EVERYWHERE}"


def series() -> dict[str, set[str]]:
    """Every series of ours by name, with its labels."""
    metrics = Metrics()
    labels = dict(_declared(metrics))
    return {
        metric.name + suffix: labels.get(metric.name) or {label for one in metric.samples for label in one.labels}
        for metric in metrics.registry.collect()
        for suffix in SUFFIXES[metric.type]
    }


def _declared(metrics: Metrics) -> Iterator[tuple[str, set[str]]]:
    for one in vars(metrics).values():
        if isinstance(one, Reading):
            yield one.name, set(one.labels)
        elif isinstance(one, MetricWrapperBase):
            yield one._name, set(one._labelnames)  # noqa: SLF001 - no sample tells before there is one


def _escaped(text: str) -> str:
    return text.replace("'", "''")
