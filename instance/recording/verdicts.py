"""What a verifier said of an attempt, as a result of its own kind: how far it can be believed is learned from these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from instance.learning.routing.verifier import REJECTED
from schemas.routing import VERIFIER

Verdict = Literal["accepted", "rejected"]

SOURCE: Final = "verifier"

_OF_THE_ATTEMPT: Final = ("job_id", "model_used", "completed_at", "context")


def job_type_of(verifier: str, verdict: Verdict) -> str:
    """Name the kind of job a verdict is recorded as."""
    return VERIFIER + verifier + (REJECTED if verdict == "rejected" else "")


def attempt_status(verdict: Verdict) -> str:
    """What an attempt counts as until somebody knows: a rejected one failed, of an accepted one time will tell."""
    return "failed" if verdict == "rejected" else "unlabelled"


def judgement(verifier: str, verdict: Verdict, attempt: Mapping[str, Any], known: str | None) -> dict[str, Any]:
    """Describe a verdict on an attempt, the fields of its result, as a result; `known` is what is true of the attempt.

    Both have the same job and context, so that what is said of these later reaches both. It reaches no rejected
    attempt: what is said of a job is said of what it delivered.
    """
    return {name: attempt[name] for name in _OF_THE_ATTEMPT if attempt.get(name) is not None} | {
        "job_type": job_type_of(verifier, verdict),
        "status": known or "unlabelled",
        "source": SOURCE,
        "external_id": f"{attempt['source']}:{attempt['external_id']}:{verifier}",
    }


def judged_here(verdict: Verdict, here: Mapping[str, str], *, is_committed: bool) -> dict[str, str]:
    """Return the context of an attempt judged here, without a commit that does not hold it.

    What is not committed is not in the commit below it, and a rejected attempt is seldom kept: what becomes of that
    commit must not be taken for what becomes of the attempt.
    """
    holds = is_committed and verdict == "accepted"
    return {name: word for name, word in here.items() if holds or name != "commit"} | {"verdict": verdict}
