"""Chromium looking at the dashboard: what a page shows, and what no page may do."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

Scheme = Literal["light", "dark"]

WIDE: Final = (1440, 900)
NARROW: Final = (390, 844)
PATIENCE_SECONDS: Final = 15.0
"""The machine may be busy with other tests."""

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS: Final = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_AXE: Final = Path(sysconfig.get_path("purelib")) / "axe_playwright_python" / "axe.min.js"
"""The rules of axe-core, as that package brings them."""
_COLOURED: Final = """
    canvases => canvases.map(canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let coloured = 0;
        for (let at = 0; at < data.length; at += 4) {
            const [red, green, blue, alpha] = data.subarray(at, at + 4);
            if (alpha > 64 && Math.max(red, green, blue) - Math.min(red, green, blue) > 40) coloured += 1;
        }
        return coloured;
    })
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's browser; the test is skipped where there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("no chromium on this machine: install the package `chromium`")
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """One tab on the dashboard, and everything it complained about."""

    url: str
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    def goto(self, path: str) -> Locator:
        """Open a page of the dashboard and wait until it stands; returns what is between head and foot."""
        self.page.goto(self.url + path)
        main = self.page.locator("#main")
        expect(main.get_by_role("heading", level=1)).to_be_visible()
        expect(main.locator(".skeleton")).to_have_count(0)
        return main

    def is_live(self, state: str = "live") -> None:
        """Wait until the stream of events is in this state."""
        expect(self.page.locator(f'[data-connection="{state}"]')).to_have_count(1, timeout=30_000)

    def resized(self, size: tuple[int, int]) -> None:
        """Make the window so large."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return max(
            0, int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
        )

    def coloured(self, charts: Locator) -> list[int]:
        """How many pixels of each canvas are of a colour, not grey."""
        expect(charts.first).to_be_visible()
        return list(charts.evaluate_all(_COLOURED))

    def violations(self) -> list[str]:
        """What axe finds against accessibility in the page as it stands."""
        if not self.page.evaluate("typeof window.axe === 'object'"):
            self.page.evaluate(_AXE.read_text(encoding="utf-8") + "; 0")
        found: dict[str, Any] = self.page.evaluate("axe.run({ resultTypes: ['violations'] })")
        return [
            f"{one['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
            for one in found["violations"]
            for node in one["nodes"]
        ]


@contextmanager
def visit(browser: Browser, url: str, *, scheme: Scheme = "light", size: tuple[int, int] = WIDE) -> Iterator[Visit]:
    """Open a tab as somebody new: nothing is remembered from another one."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    page = context.new_page()
    opened = Visit(url, context, page)
    host = urlsplit(url).netloc
    page.on("console", lambda message: opened.complaints.append(f"console {message.type}: {message.text}"))
    page.on("pageerror", lambda error: opened.complaints.append(f"uncaught: {error}"))
    page.on(
        "request",
        lambda request: (
            None if urlsplit(request.url).netloc in {host, ""} else opened.complaints.append(f"asks {request.url}")
        ),
    )
    try:
        yield opened
    finally:
        context.close()
