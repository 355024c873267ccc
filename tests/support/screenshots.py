"""Pictures of the dashboard for the documentation: `python -m tests.support.screenshots [--minutes N]`.

The mesh is a real one: instances join one after the other, each studying packages that are installed here.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import time
from pathlib import Path
from typing import Final, NamedTuple

import click
from playwright.sync_api import Browser

from shared.embedded.postgres import EmbeddedPostgres
from tests.support.browser import NARROW, WIDE, Scheme, chromium, visit
from tests.support.dashboard import ShownMesh, shown_mesh
from tests.support.processes import REPOSITORY
from tests.support.servers import scratch_directory

IMAGES: Final = REPOSITORY / "docs" / "images"
BYTES_MAX: Final = 200_000
LAST_SECONDS: Final = 15.0
"""From what was done last until the first picture: it has just been learned then."""

SETTLE_SECONDS: Final = 2.5
"""Until what came last is no longer marked as new."""

STEPS: Final = (
    ("ci-linux-1", "starlette"),
    ("laptop-ada", "click"),
    ("ci-linux-1", "uvicorn"),
    ("laptop-joe", "structlog"),
    ("review-agent", "alembic"),
    ("laptop-ada", "rich"),
    ("build-farm-2", "apscheduler"),
    ("laptop-joe", "nats"),
    ("nightly", "jsonschema"),
    ("build-farm-2", "prometheus_client"),
    ("nightly", "packaging"),
    ("review-agent", "h11"),
)
"""Who comes upon which package, in this order."""


class Picture(NamedTuple):
    """One file, and where to stand for it."""

    name: str
    path: str
    scheme: Scheme = "light"
    size: tuple[int, int] = WIDE


FIRST: Final = (Picture("overview-dark", "/", "dark"), Picture("overview-light", "/"))
"""Taken while things happen."""

PICTURES: Final = (
    Picture("instances", "/instances"),
    Picture("insight", "/insights/{insight}"),
    Picture("jobs", "/jobs", "dark"),
    Picture("narrow", "/", "light", NARROW),
)


def main() -> None:
    """Run a mesh for some minutes, then take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="how long things happen before (default: 8)")
    parser.add_argument("--to", type=Path, default=IMAGES, help="where the pictures go")
    options = parser.parse_args()
    with scratch_directory() as directory, chromium() as browser:
        server = EmbeddedPostgres(directory / "postgres")
        server.start()
        try:
            (directory / "work").mkdir()
            with shown_mesh(server, directory / "work", WORKER_ID="hub-1") as mesh:
                _live_on(mesh, options.minutes * 60)
                for picture in (*FIRST, *PICTURES):
                    _take(browser, mesh, picture, options.to)
        finally:
            server.stop()


def _live_on(mesh: ShownMesh, seconds: float) -> None:
    """Have everybody come upon one thing after the other, and one message be unreadable."""
    present: set[str] = set()
    for instance, package in STEPS:
        workspace = mesh.directory / instance
        shutil.copytree(_source(package), workspace / package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        if instance not in present:
            mesh.start_instance(instance, workspace)
            present.add(instance)
        click.echo(f"{instance} studies {package}")
        time.sleep(seconds / len(STEPS))
        mesh.post("dead-letters/replay")
    mesh.says_garbage("laptop-joe", b"this is no envelope")
    mesh.post("queues/training/pause")
    shutil.copytree(_source("click"), mesh.directory / "nightly" / "click")
    time.sleep(LAST_SECONDS)


def _source(package: str) -> Path:
    """Where an installed package is."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed here: pip install -e .[dev]")
    return Path(found.origin).parent


def _take(browser: Browser, mesh: ShownMesh, picture: Picture, directory: Path) -> None:
    shapes = [one for one in mesh.get("insights?limit=500")["items"] if one["template"]]
    best = max(shapes, key=lambda one: (one["instances"], len(one["template"])))
    with visit(browser, mesh.url, scheme=picture.scheme, size=picture.size) as tab:
        tab.goto(picture.path.format(insight=best["id"]))
        tab.is_live()
        tab.page.wait_for_timeout(SETTLE_SECONDS * 1000)
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{picture.name}.png"
        tab.page.screenshot(path=path)
    click.echo(f"{path}: {path.stat().st_size:,} bytes")
    if path.stat().st_size > BYTES_MAX:
        raise SystemExit(f"{path} is larger than {BYTES_MAX:,} bytes")


if __name__ == "__main__":
    main()
