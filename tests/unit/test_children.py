from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shared.embedded import leash, logfiles
from shared.embedded.children import Child
from shared.embedded.processes import ProcessIdentity, identify, this_process
from tests.support.processes import as_root, gone, line, python
from tests.support.wait import eventually_sync

ENVIRONMENT = {"PATH": os.defpath}
SLEEP = ["/bin/sleep", "600"]
STUBBORN = ["/bin/sh", "-c", "trap '' TERM; sleep 600 & echo $! ready; wait; wait"]
# Starts a child through the product's code, says its pid and waits to be killed.
PARENT = """
    import sys
    from pathlib import Path
    from shared.embedded.children import Child
    account = sys.argv[2] or None
    child = Child.spawn(["/bin/sleep", "600"], log=Path(sys.argv[1]), environment={}, account=account)
    print(child.pid, flush=True)
    sys.stdin.read()
"""


def program_name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_a_child_has_its_own_session_and_its_output_in_the_log(tmp_path: Path) -> None:
    child = Child.spawn(
        ["/bin/sh", "-c", "ps -o sid= -p $$; echo oops >&2; exit 7"], log=tmp_path / "log", environment=ENVIRONMENT
    )
    assert child.wait(10) == 7
    session, oops = (tmp_path / "log").read_text().split()
    assert int(session) == child.pid != os.getsid(0)
    assert oops == "oops"


def test_a_program_that_does_not_exist_is_named_in_the_log(tmp_path: Path) -> None:
    child = Child.spawn(["/no/such/program"], log=tmp_path / "log", environment=ENVIRONMENT)
    assert child.wait(10) == 127
    assert "cannot run /no/such/program: No such file" in (tmp_path / "log").read_text()


def test_a_child_does_not_inherit_that_python_ignores_broken_pipes(tmp_path: Path) -> None:
    child = Child.spawn(["/bin/sh", "-c", "grep SigIgn /proc/$$/status"], log=tmp_path / "log", environment=ENVIRONMENT)
    assert child.wait(10) == 0
    ignored = int((tmp_path / "log").read_text().split()[1], 16)
    assert not ignored & (1 << signal.SIGPIPE - 1)


def test_stopping_is_polite_first(tmp_path: Path) -> None:
    child = Child.spawn(SLEEP, log=tmp_path / "log", environment=ENVIRONMENT)
    assert child.stop(signal.SIGTERM, timeout_seconds=10) == -signal.SIGTERM
    assert child.stop(signal.SIGTERM, timeout_seconds=10) == -signal.SIGTERM  # nothing left to stop


def test_a_child_that_does_not_listen_is_killed_with_what_it_started(tmp_path: Path) -> None:
    child = Child.spawn(STUBBORN, log=tmp_path / "log", environment=ENVIRONMENT)
    eventually_sync(lambda: "ready" in (tmp_path / "log").read_text())
    grandchild = int((tmp_path / "log").read_text().split()[0])
    assert child.stop(signal.SIGTERM, timeout_seconds=0.1) == -signal.SIGKILL
    eventually_sync(lambda: gone(grandchild))


@pytest.mark.parametrize("account", ["", pytest.param("nobody", marks=as_root)])
def test_killing_the_parent_kills_the_child_also_after_a_change_of_account(tmp_path: Path, account: str) -> None:
    with python(PARENT, tmp_path / "log", account) as parent:
        child = int(line(parent))
        eventually_sync(lambda: program_name(child) == "sleep")
        parent.kill()
        eventually_sync(lambda: gone(child))


@as_root
def test_a_child_gives_up_all_of_roots_groups(tmp_path: Path) -> None:
    before = os.getgroups()
    os.setgroups([0])
    try:
        child = Child.spawn(["/usr/bin/id"], log=tmp_path / "log", environment=ENVIRONMENT, account="nobody")
    finally:
        os.setgroups(before)
    assert child.wait(10) == 0
    said = (tmp_path / "log").read_text()
    assert f"uid={pwd.getpwnam('nobody').pw_uid}(nobody)" in said
    assert "root" not in said


def test_a_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    children: list[Child] = []

    def ask() -> None:
        child = Child.spawn(SLEEP, log=tmp_path / "log", environment=ENVIRONMENT)
        eventually_sync(lambda: program_name(child.pid) == "sleep")  # by then the death signal is armed
        children.append(child)

    thread = threading.Thread(target=ask)
    thread.start()
    eventually_sync(lambda: not Path(f"/proc/self/task/{thread.native_id}").exists())
    assert children[0].poll() is None
    assert children[0].kill() == -signal.SIGKILL


def test_the_leash_does_not_run_anything_for_a_parent_that_is_gone() -> None:
    nobody = "1"
    command = [sys.executable, "-I", "-S", leash.__file__, nobody, "9", "", "/bin/echo", "ran"]
    asked = subprocess.run(command, capture_output=True, check=False)
    assert (asked.returncode, asked.stdout) == (75, b"")


def test_a_reused_process_id_is_another_process(tmp_path: Path) -> None:
    child = Child.spawn(SLEEP, log=tmp_path / "log", environment=ENVIRONMENT)
    earlier = ProcessIdentity(child.pid, "some earlier start")
    assert not earlier.alive()
    assert not earlier.signal(signal.SIGKILL)
    assert child.identity.alive()
    assert child.identity.signal(signal.SIGTERM)
    assert child.wait(10) == -signal.SIGTERM
    assert not child.identity.signal(signal.SIGTERM)


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        eventually_sync(lambda: identify(process.pid) is None)
        assert process.returncode is None  # not waited for: its id is still taken


def test_this_process_is_alive() -> None:
    assert this_process().alive()


def test_a_log_is_turned_over_when_it_is_too_big_and_three_older_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfiles, "LOG_BYTES_MAX", 3)
    log = tmp_path / "logs" / "part.log"
    for text in (b"one.", b"two.", b"three.", b"four.", b"5", b"6"):
        with logfiles.open_log(log) as output:
            output.write(text)
    assert log.read_bytes() == b"56"
    kept = [log.with_name(f"part.log.{number}").read_bytes() for number in (1, 2, 3)]
    assert kept == [b"four.", b"three.", b"two."]
    assert len(list(log.parent.iterdir())) == 4


def test_the_tail_of_a_log() -> None:
    assert logfiles.tail(Path("/no/such/log"), 3) == ""
