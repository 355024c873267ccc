"""Reports of tests in JUnit's XML, as most runners write them: one result a file, with its counts.

Only what the cases say counts; the sums some runners write beside them may be wrong. Of a case that failed the name is
kept, not what it printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import BinaryIO, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from instance.recording.reading import Origin
from instance.recording.words import clean
from instance.store.results import JobResult, Status

SOURCE: Final = "junit"
JOB_TYPE: Final = "tests"
FAILED_NAMED_MAX: Final = 100

_CHUNK_BYTES: Final = 1 << 20
_DAY_MS: Final = 86_400_000


def read(file: BinaryIO, origin: Origin) -> Iterator[JobResult]:
    """Yield the result of one run; what is no report is a fault."""
    identity = _digest(file)
    file.seek(0)
    run = _Run()
    try:
        for event, element in iterparse(file, events=("start", "end")):
            run.take(event, element)
    except (ParseError, DefusedXmlException) as error:
        origin.faults.note(getattr(error, "position", (1, 0))[0], f"no JUnit XML: {error}")
        return
    if not run.is_report:
        origin.faults.note(1, "no JUnit XML: its root is neither <testsuites> nor <testsuite>")
        return
    yield run.result(identity, origin)


class _Run:
    """What a report says, gathered as it is read; nothing of the document is kept."""

    def __init__(self) -> None:
        self.is_report = False
        self._depth = 0
        self._counts: Counter[str] = Counter()
        self._failed: list[str] = []
        self._seconds = 0.0
        self._began: datetime | None = None

    def take(self, event: str, element: Element) -> None:
        """Take the start or the end of an element."""
        if event == "start":
            self._depth += 1
            if self._depth == 1:
                self.is_report = element.tag in ("testsuites", "testsuite")
            if element.tag == "testsuite":
                self._take_suite(element)
            return
        self._depth -= 1
        if element.tag == "testcase":
            self._take_case(element)
        if element.tag in ("testcase", "testsuite", "properties", "system-out", "system-err"):
            element.clear()

    def result(self, identity: str, origin: Origin) -> JobResult:
        """What the run came to; one that ran nothing says nothing."""
        counts, took_ms = self._counts, min(round(self._seconds * 1000), _DAY_MS)
        bad = counts["failure"] + counts["error"]
        ran = counts["tests"] - counts["skipped"]
        status: Status = "failed" if bad else "success" if ran else "unlabelled"
        return JobResult(
            job_type=JOB_TYPE,
            source=SOURCE,
            external_id=identity,
            status=status,
            error=f"{bad} of {counts['tests']} tests failed" if bad else "",
            started_at=self._began,
            completed_at=self._began + timedelta(milliseconds=took_ms) if self._began else origin.now,
            duration_ms=took_ms,
            context=dict(origin.context),
            insights={
                "tests": counts["tests"],
                "failures": counts["failure"],
                "errors": counts["error"],
                "skipped": counts["skipped"],
                "failed": self._failed,
            },
        )

    def _take_suite(self, element: Element) -> None:
        began = _moment(element.get("timestamp"))
        if began is not None:
            self._began = min(began, self._began or began)

    def _take_case(self, element: Element) -> None:
        self._counts["tests"] += 1
        self._seconds += _seconds(element.get("time"))
        ending = next((part.tag for part in element if part.tag in ("failure", "error", "skipped")), None)
        if ending is None:
            return
        self._counts[ending] += 1
        if ending != "skipped" and len(self._failed) < FAILED_NAMED_MAX:
            self._failed.append(clean("::".join(filter(None, (element.get("classname"), element.get("name"))))))


def _digest(file: BinaryIO) -> str:
    """What identifies a run: reports carry no id, but no two runs write the same times."""
    digest = blake2b(digest_size=16)
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _seconds(text: str | None) -> float:
    """Read a duration; some runners write thousands separators."""
    try:
        seconds = float((text or "0").replace(",", ""))
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < _DAY_MS else 0.0


def _moment(text: str | None) -> datetime | None:
    """Read a time; without a zone it is meant in UTC, as the format was defined."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
