"""How the files of the dashboard are served, and what they may not contain."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from centralcloud.web import pages
from tests.support.http import Site, served

OWN = [
    path for path in pages.STATIC.rglob("*") if path.suffix in {".js", ".css", ".html"} and path.parent.name != "vendor"
]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with served(extra=pages.routes()) as running:
        yield running


@pytest.mark.parametrize("path", ["/", "/instances", "/insights/0123abc", "/jobs/7", "/system"])
async def test_every_address_of_a_page_gives_the_page(site: Site, path: str) -> None:
    answer = await site.get(path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert b'id="app"' in answer.body


@pytest.mark.parametrize(
    "path",
    ["/elsewhere", "/assets/vendor/LICENSE.htm", "/assets/../pages.py", "/assets/%2e%2e/pages.py", "/jobs/7/more"],
)
async def test_nothing_else_is_there(site: Site, path: str) -> None:
    assert (await site.get(path)).status == 404


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("main.js", "text/javascript"),
        ("vendor/preact.mjs", "text/javascript"),
        ("tokens.css", "text/css"),
        ("favicon.svg", "image/svg+xml"),
    ],
)
async def test_files_say_what_they_are_and_are_careful(site: Site, path: str, kind: str) -> None:
    answer = await site.get(f"/assets/{path}")
    assert answer.headers["content-type"].split(";")[0] == kind
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_a_file_the_browser_has_is_not_sent_again(site: Site) -> None:
    first = await site.get("/assets/main.js")
    again = await site.get("/assets/main.js", If_None_Match=f'"other", W/{first.headers["etag"]}')
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    changed = await site.get("/assets/main.js", If_None_Match='"other"')
    assert changed.body == first.body


async def test_every_module_that_is_imported_is_served(site: Site) -> None:
    for path in pages.STATIC.rglob("*.*js"):
        for name in re.findall(r'from ?"(\.[^"]+)"', path.read_text(encoding="utf-8")):
            asset = (path.parent / name).resolve().relative_to(pages.STATIC)
            assert (await site.get(f"/assets/{asset}")).status == 200, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_no_file_reaches_outside_or_around_the_policy(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(
        r"innerHTML|dangerouslySetInnerHTML|insertAdjacentHTML|document\.write|eval\(|new Function",
        re.sub(r"//.*|/\*\*.*?\*/", "", text),
    )
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style| on\w+=\"|style=\"", text)
    assert len(text.splitlines()) <= 300
