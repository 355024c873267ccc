from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from shared.embedded.claim import Claim, claimed
from shared.embedded.processes import this_process
from shared.errors import AlreadyRunningError
from tests.support.processes import line, python
from tests.support.wait import eventually_sync

# Takes the claim, lets a child inherit it, says so, and lives until it is killed.
OWNER = """
    import subprocess, sys
    from pathlib import Path
    from shared.embedded.claim import Claim
    from shared.embedded.processes import identify
    claim = Claim.take(Path(sys.argv[1]), 1)
    server = subprocess.Popen(["/bin/sleep", sys.argv[2]], pass_fds=[claim.descriptor])
    claim.record(identify(server.pid))
    claim.close()
    print("claimed", flush=True)
    sys.stdin.read()
"""


def test_a_live_owner_is_named_at_once(tmp_path: Path) -> None:
    with python(OWNER, tmp_path / "claim", "600") as owner:
        line(owner)
        assert claimed(tmp_path / "claim")
        with pytest.raises(AlreadyRunningError, match=f"by process {owner.pid}; stop that first"):
            Claim.take(tmp_path / "claim", timeout_seconds=600)


def test_a_server_that_is_going_down_without_its_owner_is_waited_for(tmp_path: Path) -> None:
    with python(OWNER, tmp_path / "claim", "1") as owner:
        line(owner)
        owner.kill()
        owner.wait()
        assert claimed(tmp_path / "claim")
        Claim.take(tmp_path / "claim", timeout_seconds=10).close()


def test_a_server_that_stays_without_its_owner_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with python(OWNER, tmp_path / "claim", "600") as owner:
        line(owner)
        owner.kill()
        owner.wait()
        with pytest.raises(AlreadyRunningError, match=r"is still there as process .*, left by one that is gone"):
            Claim.take(tmp_path / "claim", timeout_seconds=0.1)


def test_the_claim_ends_with_the_server(tmp_path: Path) -> None:
    claim = Claim.take(tmp_path / "claim", 1)
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, pass_fds=[claim.descriptor]) as server:
        claim.close()
        assert claimed(tmp_path / "claim")
        assert server.stdin
        server.stdin.close()
        eventually_sync(lambda: not claimed(tmp_path / "claim"))


def test_a_claim_nobody_ever_took_is_free(tmp_path: Path) -> None:
    assert not claimed(tmp_path / "claim")


def test_a_record_that_makes_no_sense_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "claim").write_text("[1, 2")
    claim = Claim.take(tmp_path / "claim", 1)
    claim.record(this_process())
    assert os.pread(claim.descriptor, 4096, 0).endswith(b"}")
    claim.close()
