"""Alert rules, the configuration of Prometheus, the dashboard of Grafana and what documents say of metrics."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from deploy.grafana import dashboard
from shared.metrics import Metrics
from tests.support.documents import DOCUMENTS, fences
from tests.support.processes import REPOSITORY
from tests.support.promql import check_names, check_syntax, promtool, series

PROMETHEUS = REPOSITORY / "deploy/prometheus"
GRAFANA = REPOSITORY / "deploy/grafana"
COMMANDS = re.compile(r"`flocklore ([^`]+)`")


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def seed_panels() -> list[str]:
    """What people graph of orchestrators, as it parses."""
    return [
        'count(up{job="orchestrator"} == 1)',
        "sum by (orchestrator_id) (rate(workflow_executions_total[5m]))",
        "sum by (region, queue) (pgmq_queue_depth)",
        "increase(orchestrator_failovers_total[1h])",
    ]


def test_prometheus_takes_the_rules_and_its_configuration() -> None:
    promtool("check", "rules", str(PROMETHEUS / "rules.yml"))
    promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))


def test_every_rule_fires_above_its_limit_and_only_there() -> None:
    promtool("test", "rules", str(PROMETHEUS / "rules_test.yml"))
    tested = (PROMETHEUS / "rules_test.yml").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in alerts() if rule["alert"] not in tested] == []


def test_a_rule_whose_limit_is_changed_fails_its_test(tmp_path: Path) -> None:
    for name in ("rules.yml", "rules_test.yml"):
        text = (PROMETHEUS / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("buffer_pending) > 5000", "buffer_pending) > 4999"))
    with pytest.raises(AssertionError, match="FlockloreBacklog"):
        promtool("test", "rules", str(tmp_path / "rules_test.yml"))


@pytest.mark.parametrize(
    ("alert", "limit"),
    [
        ("FlockloreMemoryHigh", "> 0.8"),
        ("FlockloreProcessorBusy", "> 0.7"),
        ("FlockloreQueueDeep", "> 1000"),
        ("FlockloreBacklog", "> 5000"),
        ("FlockloreLatencyHigh", "> 0.5"),
        ("FlockloreRequestsSlow", "> 0.5"),
    ],
)
def test_promised_limits(alert: str, limit: str) -> None:
    (rule,) = (one for one in alerts() if one["alert"] == alert)
    assert rule["expr"].strip().endswith(limit)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_rules_are_about_series_there_are_and_say_what_to_do(rule: dict[str, Any]) -> None:
    check_names(rule["expr"])
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert rule["annotations"].keys() == {"summary", "action"}


def test_series_that_do_not_exist_are_noticed() -> None:
    for expression in (
        "rate(no_such_total[5m])",
        'flocklore_instances{colour="red"}',
        "sum by (colour) (flocklore_instances)",
        "flocklore_forks",  # it has a suffix
        "pgmq_queue_depth > on (colour) flocklore_cpus",
    ):
        with pytest.raises(AssertionError, match="no "):
            check_names(expression)


def test_what_does_not_parse_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="parse error"):
        check_syntax(["rate(workflow_executions_total[5m]) by (orchestrator_id)"], tmp_path)


def test_the_dashboard_is_what_its_table_makes() -> None:
    assert (GRAFANA / "flocklore.json").read_text(encoding="utf-8") == dashboard.written(), (
        "run `python -m deploy.grafana.dashboard`"
    )


def test_every_expression_of_the_dashboard_parses_and_finds_something(tmp_path: Path) -> None:
    check_syntax([*dashboard.expressions(), *seed_panels()], tmp_path)
    for expression in [*dashboard.expressions(), *seed_panels()]:
        check_names(expression)


def test_the_dashboard_shows_every_series() -> None:
    shown = "\n".join(dashboard.expressions())
    watched = {name for name in series() if not name.startswith("process_") and not name.endswith(("_sum", "_count"))}
    assert {name for name in watched if not re.search(rf"\b{name}\b", shown)} == set()


def test_panels_lie_beside_each_other() -> None:
    panels = json.loads((GRAFANA / "flocklore.json").read_bytes())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < dashboard.WIDTH, panel["title"]
        taken |= cells


def test_panels_say_what_they_show() -> None:
    panels = [one for one in json.loads((GRAFANA / "flocklore.json").read_bytes())["panels"] if one["type"] != "row"]
    for panel in panels:
        assert panel["type"] in ("timeseries", "stat")
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH"[: len(panel["targets"])])
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


def test_grafana_finds_the_dashboard_and_prometheus() -> None:
    provider = yaml.safe_load((GRAFANA / "provisioning/dashboards/flocklore.yml").read_text(encoding="utf-8"))
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text(encoding="utf-8"))
    assert [one["type"] for one in provider["providers"]] == ["file"]
    assert [one["type"] for one in source["datasources"]] == ["prometheus"]


def test_our_metrics_follow_the_conventions() -> None:
    promtool("check", "metrics", text=generate_latest(Metrics().registry).decode())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_expressions_in_documents_parse_and_find_something(document: Path, tmp_path: Path) -> None:
    for language, body in fences(document):
        if language == "promql":
            written = [line.partition("#")[0].strip() for line in body.splitlines()]
            expressions = [line for line in written if line]
            check_syntax(expressions, tmp_path)
            for expression in expressions:
                check_names(expression)
