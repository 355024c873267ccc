"""The dashboard of a real mesh in a real browser: what it shows, live, and what can be done with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Locator, expect

from schemas.events import ResultsLearned
from schemas.fingerprint import fingerprint
from shared.embedded.postgres import EmbeddedPostgres
from tests.support.browser import NARROW, Visit, chromium, visit
from tests.support.daemons import codebase
from tests.support.dashboard import LANGUAGE, VIEW, ShownMesh, habits, pattern, results, shown_mesh
from tests.support.wait import eventually_sync

NAMES = ("ann", "bob", "cat")
HOSTILE = "<img src=x onerror=\"document.title='taken over'\"> = $1"
SHARED = "os . killpg ( os . getpgid ( $1 . pid ) , signal . SIGHUP )"
TOKEN = "only the lead knows"
PAGES = {
    "/": "ann",
    "/instances": "ann",
    "/instances/ann": "What it knows",
    "/patterns": SHARED,
    "/patterns/{shared}": "Who has it",
    "/insights": SHARED,
    "/insights/{shared}": "Where it comes from",
    "/jobs": "Queues",
    "/results": "large-1",
    "/bus": "LEARNED",
    "/system": "aggregate",
}
"""Every page, and what stands on it only when it is filled."""


def identity(template: str) -> str:
    return fingerprint(LANGUAGE, VIEW, template).hex()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def mesh(browser: Browser, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShownMesh]:
    """Three instances that share idioms, two more that say hostile things, results, and a dead letter."""
    work = tmp_path_factory.mktemp("work")
    with shown_mesh(postgres, work) as running:
        for name in NAMES:
            running.start_instance(name, codebase(work / name, habits()))
        today = datetime.now(UTC).date()
        for name in ("eve", "mallory"):
            running.says(name, pattern(HOSTILE, f"repository of {name}"))
        for ago in range(6):
            day = today - timedelta(days=ago)
            running.says("eve", results("fix-tests", "large-1", 20 - ago, ago, day=day), topic=ResultsLearned.topic)
        running.says_garbage("mallory", f"{HOSTILE} is no envelope".encode())
        eventually_sync(lambda: {HOSTILE, SHARED} <= _templates(running), 60.0, "insights")
        yield running


@pytest.fixture
def tab(browser: Browser, mesh: ShownMesh) -> Iterator[Visit]:
    """A new visitor, at whom nothing may complain."""
    with visit(browser, mesh.url) as opened:
        yield opened
        assert opened.complaints == []


def _templates(mesh: ShownMesh) -> set[str]:
    return {one["template"] for one in mesh.get("insights?limit=1000")["items"]}


@pytest.mark.parametrize(("path", "filled"), PAGES.items(), ids=PAGES)
def test_every_page_shows_what_is_in_both_themes_and_on_a_phone(tab: Visit, path: str, filled: str) -> None:
    main = tab.goto(path.format(shared=identity(SHARED)))
    expect(main.locator("section").get_by_text(filled).first).to_be_visible()
    tab.is_live()
    assert tab.violations() == []
    assert tab.overflow() == 0
    tab.page.emulate_media(color_scheme="dark")
    tab.resized(NARROW)
    expect(main.get_by_role("heading", level=1)).to_be_visible()
    assert tab.overflow() == 0
    assert tab.violations() == []


def test_what_an_instance_learns_appears_without_a_reload(tab: Visit, mesh: ShownMesh) -> None:
    main = tab.goto("/")
    tab.is_live()
    mesh.says(
        "dora", pattern("dora . learns ( $1 )", "repository of dora"), pattern("dora . knows ( $1 )", "her other")
    )
    expect(main.get_by_label("Live feed").get_by_text("dora learned 2 patterns")).to_be_visible()


def test_the_loop_shows_every_station_with_its_numbers(tab: Visit, mesh: ShownMesh) -> None:
    picture = tab.goto("/").get_by_role("img", name=re.compile("The learning loop"))
    for station in ("Instances", "NATS", "Centralcloud", "Insights", "Adopted"):
        expect(picture.get_by_text(station, exact=True)).to_be_visible()
    known = mesh.get("overview")
    expect(picture).to_have_attribute("aria-label", re.compile(rf"Instances \d+ of {known['known_instances']} known"))


def test_the_theme_that_was_chosen_stays(tab: Visit) -> None:
    tab.goto("/")
    background = "getComputedStyle(document.body).backgroundColor"
    light = tab.page.evaluate(background)
    switch = tab.page.locator("[data-theme-switch]")
    switch.click()
    expect(switch).to_have_attribute("aria-label", "Theme: light")
    switch.click()
    expect(switch).to_have_attribute("aria-label", "Theme: dark")
    assert tab.page.evaluate(background) != light
    tab.goto("/system")
    expect(switch).to_have_attribute("aria-label", "Theme: dark")
    assert tab.page.evaluate(background) != light


def test_the_keyboard_goes_everywhere(tab: Visit) -> None:
    tab.goto("/")
    keyboard, heading = tab.page.keyboard, tab.page.locator("#main h1")
    for key, title in zip("ipnjrbso", _titles(), strict=True):
        keyboard.press("g")
        keyboard.press(key)
        expect(heading).to_have_text(title)
    keyboard.press("g")
    keyboard.press("i")
    expect(tab.page.get_by_role("link", name="bob", exact=True)).to_be_visible()
    keyboard.press("j")
    expect(tab.page.get_by_role("link", name="ann", exact=True)).to_be_focused()
    keyboard.press("j")
    keyboard.press("Enter")
    expect(heading).to_have_text("bob")
    keyboard.press("Escape")
    expect(heading).to_have_text("Instances")
    keyboard.press("/")
    expect(tab.page.get_by_role("searchbox")).to_be_focused()
    keyboard.type("ca")
    expect(tab.page.locator("#main tbody tr")).to_have_count(1)
    expect(tab.page).to_have_url(re.compile(r"\?q=ca$"))
    keyboard.press("Escape")
    keyboard.press("?")
    expect(tab.page.get_by_role("dialog", name="Keys")).to_be_visible()
    keyboard.press("Escape")
    expect(tab.page.get_by_role("dialog")).to_have_count(0)


def test_everything_is_found_from_one_field(tab: Visit) -> None:
    tab.goto("/")
    tab.page.keyboard.press("/")
    field = tab.page.get_by_role("combobox", name=re.compile("Search"))
    field.fill("bob")
    expect(tab.page.get_by_role("option", name=re.compile("bob"))).to_be_visible()
    assert tab.violations() == []
    field.press("Enter")
    expect(tab.page.locator("#main h1")).to_have_text("bob")


DRAW_QUESTION_AGAIN = """async () => {
    const { question } = await import("/assets/asks.js");
    question.set({ ...question.get() });
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
}"""
"""What news of the fleet does while somebody types an answer."""


def test_an_insight_is_taken_back_and_restored(tab: Visit, mesh: ShownMesh) -> None:
    main = tab.goto(f"/insights/{identity(SHARED)}")
    main.get_by_role("button", name="Revoke").click()
    question = tab.page.get_by_role("dialog")
    assert tab.violations() == []
    question.get_by_label(re.compile("Reason")).fill("not how we stop processes")
    tab.page.evaluate(DRAW_QUESTION_AGAIN)
    question.get_by_role("button", name="Revoke").click()
    expect(main.get_by_text(re.compile("Taken back by dashboard .*not how we stop processes"))).to_be_visible()
    assert mesh.get(f"insights/{identity(SHARED)}")["insight"]["state"] == "revoked"
    main.get_by_role("button", name="Restore").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Restore").click()
    expect(main.get_by_role("button", name="Revoke")).to_be_visible(timeout=30_000)
    assert mesh.get(f"insights/{identity(SHARED)}")["insight"]["state"] == "active"


@pytest.mark.parametrize(
    "path", ["/patterns?q=onerror", f"/patterns/{identity(HOSTILE)}", f"/insights/{identity(HOSTILE)}", "/bus"]
)
def test_text_of_others_is_shown_as_text(tab: Visit, path: str) -> None:
    main = tab.goto(path)
    expect(main.get_by_text(HOSTILE).first).to_be_visible()
    expect(main.locator("img")).to_have_count(0)
    expect(tab.page).to_have_title(re.compile("Flocklore$"))


def test_jobs_are_filtered_by_the_address_and_changed_together(tab: Visit) -> None:
    main = tab.goto("/bus")
    main.get_by_role("button", name="Replay all").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Replay").click()
    expect(tab.page.get_by_text(re.compile(r"Job \d+ does it"))).to_be_visible()
    main = tab.goto("/jobs")
    main.get_by_role("navigation", name="States").get_by_role("link", name=re.compile("completed")).click()
    expect(tab.page).to_have_url(re.compile(r"/jobs\?state=completed$"))
    rows = main.get_by_role("table", name="Jobs").locator("tbody tr")
    expect(rows.first).to_contain_text("completed")
    rows.first.get_by_role("checkbox").check()
    bar = main.get_by_role("toolbar", name="Selected jobs")
    expect(bar).to_contain_text("1 job selected")
    bar.get_by_role("button", name="Retry").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(tab.page.get_by_text(re.compile(r"\d jobs? will run again"))).to_be_visible()
    expect(bar).to_have_count(0)


def test_a_queue_is_paused_and_resumed(tab: Visit) -> None:
    row = tab.goto("/jobs").get_by_role("table", name="Queues").locator("tbody tr").first
    row.get_by_role("button", name=re.compile("Pause")).click()
    expect(row).to_contain_text("paused")
    row.get_by_role("button", name=re.compile("Resume")).click()
    expect(row).to_contain_text("running")


def test_a_schedule_is_switched_off_and_on(tab: Visit) -> None:
    row = _row(tab.goto("/system"), "Schedules", "calibration")
    row.get_by_role("button", name=re.compile("Disable")).click()
    expect(row).to_contain_text("disabled")
    row.get_by_role("button", name=re.compile("Enable")).click()
    expect(row).to_contain_text("enabled")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_are_drawn_in_colour(tab: Visit, scheme: str) -> None:
    tab.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    charts = tab.goto("/results").locator("canvas")
    assert min(tab.coloured(charts)) > 200
    charts = tab.goto("/").locator("canvas")
    expect(charts).to_have_count(4, timeout=60_000)  # a line needs two measurements, half a minute apart
    eventually_sync(lambda: min(tab.coloured(charts)) > 20, 60.0, "every chart drawn")


def test_it_comes_back_by_itself_after_centralcloud_was_killed(tab: Visit, mesh: ShownMesh) -> None:
    main = tab.goto("/")
    tab.is_live()
    mesh.kill_hub()
    tab.is_live("waiting")
    mesh.start_hub()
    tab.is_live()
    mesh.says("fay", pattern("fay . returns ( $1 )", "repository of fay"))
    expect(main.get_by_label("Live feed").get_by_text("fay learned 1 pattern")).to_be_visible()
    tab.complaints[:] = [one for one in tab.complaints if "ERR_" not in one and "503" not in one]


def test_a_token_is_asked_for_once_and_kept_in_the_tab(browser: Browser, mesh: ShownMesh) -> None:
    with mesh.another(APP_ROLE="web", FLOCKLORE_HTTP_TOKEN=TOKEN) as url, visit(browser, url) as guarded:
        guarded.page.goto(url)
        question = guarded.page.get_by_role("dialog", name="Token")
        for said in ("a guess", TOKEN):
            question.get_by_label("Token", exact=True).fill(said)
            question.get_by_role("button", name="Continue").click()
            if said != TOKEN:
                expect(question.get_by_role("alert")).to_be_visible()
        expect(question).to_have_count(0)
        guarded.is_live()
        guarded.goto("/instances")
        guarded.is_live()
        expect(guarded.page.get_by_role("link", name="ann", exact=True)).to_be_visible()
        assert [one for one in guarded.complaints if "401" not in one] == []


def _row(main: Locator, table: str, name: str) -> Locator:
    return main.get_by_role("table", name=table).locator("tbody tr", has_text=name)


def _titles() -> list[str]:
    return ["Instances", "Patterns", "Insights", "Jobs", "Results", "Bus", "System", "Overview"]
