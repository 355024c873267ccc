"""Where the dashboard of a mesh is: told, opened, and the same at the next start."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.embedded.ports import free_port
from tests.support.mesh import Mesh, new_mesh
from tests.support.servers import copied_postgres


@pytest.fixture
def mesh(scratch: Path, initialised: Path) -> Iterator[Mesh]:
    with new_mesh(scratch) as made:
        copied_postgres(initialised, made.state / "postgres")
        yield made


def told(mesh: Mesh, part: str) -> dict[str, str]:
    """Return what a daemon found in its environment at its last start."""
    lines = (mesh.state / "logs" / f"{part}.log").read_text().splitlines()
    return dict(json.loads([line for line in lines if line.startswith("{")][-1]))


def test_it_is_told_opened_and_stays_where_it_is(mesh: Mesh, tmp_path: Path) -> None:
    nothing = mesh.run("open")
    assert (nothing.returncode, "flocklore up" in nothing.stderr) == (3, True)
    port = free_port(28_180)
    desk = tmp_path / "desk"
    desk.mkdir()
    with mesh.up(desk, environment={"PORT": str(port)}):
        url = f"http://127.0.0.1:{port}"
        assert mesh.document("status")["dashboard"] == url
        assert url in mesh.run("status").stdout
        assert mesh.document("open") == {"url": url, "opened": False}
        assert mesh.run("open").stdout == f"{url}\n"
        assert told(mesh, "centralcloud")["PORT"] == str(port)
        assert "PORT" not in told(mesh, "instance-desk")
        mesh.run("down")
    with socket.create_server(("127.0.0.1", port)), mesh.up(desk):
        assert mesh.document("open")["url"] != url
