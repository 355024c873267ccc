"""The dashboard of Grafana: `python -m deploy.grafana.dashboard` writes flocklore.json from the table of `panels`."""  # noqa: INP001 - a script

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from deploy.grafana.panels import ROWS, Panel

FILE: Final = Path(__file__).with_name("flocklore.json")
WIDTH: Final = 24
HEIGHT: Final = 8
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def written() -> str:
    """The dashboard as Grafana reads it."""
    return json.dumps(dashboard(), indent=2) + "\n"


def dashboard() -> dict[str, Any]:
    """Lay out the table."""
    return {
        "uid": "flocklore",
        "title": "Flocklore",
        "description": "Who is learning what, and how the machinery behind it fares.",
        "tags": ["flocklore"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [{"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus"}]
        },
        "annotations": {"list": []},
        "panels": [{"id": number} | panel for number, panel in enumerate(_panels(), 1)],
    }


def expressions() -> list[str]:
    """Every expression of the dashboard."""
    return [expression for panels in ROWS.values() for panel in panels for expression, _ in panel.lines]


def _panels() -> Iterator[dict[str, Any]]:
    """Each row under its title, its panels side by side as far as there is room."""
    top = 0
    for title, panels in ROWS.items():
        yield {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": _place(0, top, WIDTH, 1)}
        left, top = 0, top + 1
        for panel in panels:
            if left + panel.width > WIDTH:
                left, top = 0, top + HEIGHT
            yield _panel(panel) | {"gridPos": _place(left, top, panel.width, HEIGHT)}
            left += panel.width
        top += HEIGHT


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": "stat" if panel.is_number else "timeseries",
        "title": panel.title,
        "description": panel.text,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": line, "legendFormat": legend or "__auto"}
            for place, (line, legend) in enumerate(panel.lines)
        ],
    }


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
