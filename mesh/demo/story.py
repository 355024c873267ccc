"""The story: three codebases, an outage of the bus, an instance that was away, and what all of them know in the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mesh.demo.stage import Actor, Stage, wait_for
from mesh.plan import CENTRALCLOUD

FIRST_INSIGHT_SECONDS_MAX: Final = 60.0
CATCH_UP_SECONDS_MAX: Final = 60.0
LEARN_SECONDS_MAX: Final = 120.0
SUPPORT: Final = 3

_HABITS: Final = {
    "stopping": """\
import contextlib
import os
import signal


def ask_to_stop(process):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(os.getpgid(process.pid), signal.SIGHUP)
""",
    "copying": """\
import shutil
import tempfile


def copy_aside(tree):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        return shutil.copytree(tree, directory, symlinks=True, dirs_exist_ok=True)
""",
}
"""Written into notebooks while the story goes on."""

_INSIGHTS: Final = "SELECT count(*) FROM insights WHERE state = 'active'"
_LEARNED: Final = "SELECT count(*) FROM observations WHERE NOT forgotten"
_UNCONFIRMED: Final = "SELECT count(*) FROM outbox WHERE confirmed_at IS NULL"
_HEAD: Final = "SELECT version FROM insight_heads"
_VERSION: Final = "SELECT version FROM downlink"
_SEEN_HERE: Final = "SELECT count(*) FROM patterns WHERE encode(fingerprint, 'hex') = %s"
_SUPPORTED: Final = """
    SELECT id, (body->>'instances')::int, body->>'template', body->'contributors' FROM insights
     WHERE state = 'active' AND (body->>'instances')::int >= %s ORDER BY 2 DESC, (body->>'confidence')::float DESC
"""


@dataclass
class Chapter:
    """One thing that happened, what was measured, and whether it is what was promised."""

    title: str
    ok: bool
    numbers: dict[str, Any] = field(default_factory=dict)


class Story:
    """Plays the chapters in order; each reports what it saw."""

    def __init__(self, stage: Stage, codebases: list[tuple[str, Path]]) -> None:
        self._stage = stage
        names = ["first", "second", "third", "late"]
        self._actors = [stage.actor(name, path) for name, (_, path) in zip(names, codebases, strict=True)]
        *self._learners, self._late = self._actors
        self._codebases = dict(zip(names, (name for name, _ in codebases), strict=True))
        self._ready_at = 0.0

    def chapters(self) -> Iterator[Callable[[], Chapter]]:
        """The chapters, to be played one after another."""
        yield self.servers_start
        yield self.first_insights
        yield self.what_each_learned
        yield self.bus_away
        yield self.bus_back
        yield self.late_instance
        yield self.never_seen_in_own_code

    def servers_start(self) -> Chapter:
        """Start the servers, the hub and three instances; the fourth stays off."""
        started = time.monotonic()
        _write(self._late, "copying")
        self._stage.start_servers(self._actors)
        self._ready_at = time.monotonic()
        self._stage.start_centralcloud()
        for actor in self._learners:
            self._stage.start(actor)
        codebases = {actor.instance.instance_id: self._codebase(actor) for actor in self._actors}
        seconds = round(self._ready_at - started, 2)
        return Chapter(
            "servers are ready, three instances study", ok=True, numbers={"seconds": seconds, "codebases": codebases}
        )

    def first_insights(self) -> Chapter:
        """An insight of several instances reaches all of them."""
        wait_for("the first insight in every instance", self._all_have_insights, FIRST_INSIGHT_SECONDS_MAX * 2)
        seconds = time.monotonic() - self._ready_at
        insights = self._counts(_INSIGHTS)
        return Chapter(
            "the first insights are in every running instance",
            ok=seconds <= FIRST_INSIGHT_SECONDS_MAX,
            numbers={
                "seconds_after_ready": round(seconds, 1),
                "limit": FIRST_INSIGHT_SECONDS_MAX,
                "insights": insights,
            },
        )

    def what_each_learned(self) -> Chapter:
        """Wait until every codebase has been read once, and all that was said is confirmed."""
        wait_for("every codebase is read", self._all_scanned, LEARN_SECONDS_MAX)
        wait_for("everything is confirmed", self._all_confirmed, CATCH_UP_SECONDS_MAX)
        learned = self._counts(_LEARNED)
        known = self._stage.number(CENTRALCLOUD, _LEARNED)
        return Chapter(
            "each learned from its own code",
            ok=known == sum(learned.values()),
            numbers={"patterns": learned, "in_centralcloud": known},
        )

    def bus_away(self) -> Chapter:
        """Kill NATS; all three go on learning."""
        self._stage.kill_nats()
        before = self._counts(_LEARNED)
        for actor in self._learners:
            _write(actor, "stopping")
        for actor in self._learners[:2]:
            _write(actor, "copying")
        seconds = wait_for(
            "learning without a bus", lambda: all(self._counts(_LEARNED)[name] > before[name] for name in before), 60
        )
        kept = self._counts(_UNCONFIRMED)
        return Chapter(
            "NATS is gone, learning goes on",
            ok=all(kept.values()),
            numbers={"events_kept": kept, "seconds": round(seconds, 1)},
        )

    def bus_back(self) -> Chapter:
        """Start NATS; what was kept arrives."""
        self._stage.nats.start()
        seconds = wait_for("what was kept arrives", self._all_confirmed, CATCH_UP_SECONDS_MAX)
        learned, known = self._counts(_LEARNED), self._stage.number(CENTRALCLOUD, _LEARNED)
        return Chapter(
            "NATS is back, nothing was lost or counted twice",
            ok=known == sum(learned.values()),
            numbers={"seconds": round(seconds, 1), "said": sum(learned.values()), "in_centralcloud": known},
        )

    def late_instance(self) -> Chapter:
        """Start the instance that was off all the time."""
        self._stage.start(self._late)
        seconds = wait_for("the late instance catches up", self._late_caught_up, CATCH_UP_SECONDS_MAX)
        held = self._stage.number(self._late.instance.database, _INSIGHTS)
        return Chapter(
            "an instance that was off all the time catches up",
            ok=held > 0,
            numbers={"insights": held, "seconds": round(seconds, 1)},
        )

    def never_seen_in_own_code(self) -> Chapter:
        """Find insights of three instances in instances that never saw them in their own code."""
        third = self._learners[2]
        wait_for("an insight new to the late instance", lambda: self._new_to(self._late), CATCH_UP_SECONDS_MAX)
        wait_for("an insight new to the third instance", lambda: self._new_to(third), CATCH_UP_SECONDS_MAX)
        found = {actor.instance.instance_id: self._new_to(actor) for actor in (third, self._late)}
        return Chapter(
            f"insights with support {SUPPORT} nobody here had written", ok=all(found.values()), numbers=found
        )

    def _new_to(self, actor: Actor) -> dict[str, Any]:
        database = actor.instance.database
        for identity, support, template, contributors in self._stage.ask(database, _SUPPORTED, SUPPORT):
            own = actor.instance.instance_id in contributors
            if template and not own and not self._stage.number(database, _SEEN_HERE, identity):
                return {"insight": identity, "support": support, "template": template, "from": contributors}
        return {}

    def _all_have_insights(self) -> bool:
        return all(self._counts(_INSIGHTS).values())

    def _all_scanned(self) -> bool:
        statement: Final = "SELECT count(*) FROM repositories WHERE scanned_at IS NOT NULL"
        return all(count >= 2 for count in self._counts(statement).values())  # noqa: PLR2004 - codebase and notebook

    def _all_confirmed(self) -> bool:
        return not any(self._counts(_UNCONFIRMED).values())

    def _late_caught_up(self) -> bool:
        head = self._stage.number(CENTRALCLOUD, _HEAD)
        return 0 < head <= self._stage.number(self._late.instance.database, _VERSION)

    def _counts(self, statement: Any) -> dict[str, int]:
        return {
            actor.instance.instance_id: self._stage.number(actor.instance.database, statement)
            for actor in self._learners
        }

    def _codebase(self, actor: Actor) -> str:
        return self._codebases[actor.instance.instance_id]


def _write(actor: Actor, habit: str) -> None:
    """Write the same habit into several files, as people do."""
    for number in range(3):
        path = actor.notebook / f"{habit}_{number}.py"
        path.write_text(_HABITS[habit], encoding="utf-8")
