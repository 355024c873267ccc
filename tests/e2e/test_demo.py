"""The demo keeps its promises on real servers and real code, and says so in one document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.processes import REPOSITORY

FIRST_INSIGHT_SECONDS_MAX = 60.0
DEMO_SECONDS_MAX = 300.0


def test_the_demo_keeps_every_promise_and_leaves_nothing_behind(scratch: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mesh", "demo", "--json"],
        env={"PATH": os.environ["PATH"], "HOME": str(scratch), "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(scratch)},
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEMO_SECONDS_MAX,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is True
    assert [chapter["title"] for chapter in told["chapters"] if not chapter["ok"]] == []
    first = told["chapters"][1]["numbers"]
    assert first["seconds_after_ready"] <= first["limit"] <= FIRST_INSIGHT_SECONDS_MAX
    assert all(count > 0 for count in first["insights"].values())
    assert list(scratch.glob("flocklore-demo-*")) == []
