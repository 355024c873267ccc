"""Labels from what this machine can see: its git repositories, and what CI said of their commits.

The rule is that of `instance.learning.labels.rule`. A word is dated by what it rests on, not by when it was read, so
what a person found out later stands; it is said again only when it changes. What no repository here knows is left
unjudged.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.learning.labels.landing import Alike, Commit, Fate, Trunk, standing
from instance.learning.labels.rule import Check, Verdict, checked, of_commit, of_job
from instance.recording.git import Git
from instance.recording.history import History
from instance.store import result_evidence, results
from instance.store.result_evidence import Judged, Made
from instance.store.results import Label
from shared.database import transaction
from shared.errors import TransientError

log = structlog.get_logger(__name__)

SOURCE: Final = "git"

_TICK: Final = timedelta(microseconds=1)


class _Said(NamedTuple):
    result_id: int
    verdict: Verdict


async def label_from_git(engine: AsyncEngine, roots: Sequence[Path], now: datetime) -> int:
    """Label the results whose commits the repositories at `roots` know; returns for how many the label changed."""
    async with transaction(engine) as connection:
        made = await result_evidence.made(connection, SOURCE)
        judged = await result_evidence.judged(connection) if made else []
    said = await asyncio.to_thread(_words, made, judged, roots, now)
    together: defaultdict[Verdict, list[int]] = defaultdict(list)
    for result_id, verdict in said:
        together[verdict].append(result_id)
    changed = 0
    async with transaction(engine) as connection:
        for (word, at), ids in together.items():
            changed += await results.label(connection, ids, Label(word, SOURCE, at))
    return changed


def _words(made: Sequence[Made], judged: Sequence[Judged], roots: Iterable[Path], now: datetime) -> list[_Said]:
    """Judge every job once, by the first repository that knows its commits."""
    verdicts: dict[int, Verdict] = {}
    seen: set[str | None] = {None}
    for history in (History(Git(root)) for root in roots if made and root.is_dir()):
        try:
            if (place := history.place()) not in seen:
                seen.add(place)
                verdicts |= _verdicts(history, [one for one in made if one.id not in verdicts], judged)
        except TransientError as error:
            log.warning("jobs are not labelled", reason=str(error))
    return [
        _Said(one.id, new)
        for one in made
        if one.id in verdicts and (new := _new(one, verdicts[one.id], now)) is not None
    ]


def _verdicts(history: History, made: Sequence[Made], judged: Sequence[Judged]) -> dict[int, Verdict]:
    """Judge the jobs all of whose commits a repository knows."""
    called = {*chain.from_iterable(one.commits for one in made), *(one.commit for one in judged)}
    whole = history.whole(sorted(called))
    ours = [one for one in made if one.commits and all(commit in whole for commit in one.commits)]
    commits = history.commits({whole[commit] for one in ours for commit in one.commits})
    checks = _checks(judged, whole)
    verdicts = {
        fate.of: of_commit(fate, checked(chain.from_iterable(checks.get(one, ()) for one in fate.ids)))
        for fate in _fates(history, list(commits.values()))
    }
    stood = {one.id: [commit.id for commit in standing([commits[whole[name]] for name in one.commits])] for one in ours}
    return {
        one: of_job([verdicts[commit] for commit in ids]) for one, ids in stood.items() if verdicts.keys() >= set(ids)
    }


def _fates(history: History, commits: Sequence[Commit]) -> list[Fate]:
    """Follow commits on the default branch."""
    trunk = history.trunk(min((min(one.authored, one.committed) for one in commits), default=0)) if commits else None
    if trunk is None:
        return [Fate(one.id, ids=frozenset({one.id})) for one in commits]
    alike = history.alike(commits, trunk)
    fates = {one.id: trunk.fate(one, alike.get(one.id, Alike())) for one in commits}
    away = [one for one in commits if not fates[one.id].is_landed]
    fates |= _squashed(history, trunk, away)
    return [fates[one.id] for one in commits if fates[one.id].is_landed or one.committed >= trunk.since]


def _squashed(history: History, trunk: Trunk, commits: Sequence[Commit]) -> dict[str, Fate]:
    """Follow the commits that are on the trunk inside of others."""
    within = history.squashed(commits, trunk) if commits else {}
    outer = {one for others in within.values() for one in others}
    alike = history.alike([one for one in trunk.commits if one.id in outer], trunk)
    undone = {one: alike[one].inverse if one in alike else () for one in outer}
    return {
        one.id: trunk.fate(one, Alike(within[one.id], {*chain.from_iterable(undone[two] for two in within[one.id])}))
        for one in commits
        if one.id in within
    }


def _checks(judged: Sequence[Judged], whole: Mapping[str, str]) -> Mapping[str, list[Check]]:
    """What CI said, by commit."""
    found: defaultdict[str, list[Check]] = defaultdict(list)
    for one in judged:
        if one.commit in whole:
            found[whole[one.commit]].append(Check(one.name, one.attempt, one.succeeded, one.at))
    return found


def _new(one: Made, verdict: Verdict, now: datetime) -> Verdict | None:
    """Return what is to be said, dated behind what was said before; None when it is nothing new."""
    if verdict.word == (one.word or "unlabelled"):
        return None
    at = min(verdict.at, now)
    if one.said_at is not None and at <= one.said_at:
        at = max(now, one.said_at + _TICK)
    return Verdict(verdict.word, at)
