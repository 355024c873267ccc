from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from shared.embedded import paths
from shared.embedded.accounts import Account
from shared.embedded.sockets import require_private, socket_directory
from shared.errors import ConfigurationError
from tests.support.processes import as_root, line, python

ME = Account(None, os.geteuid(), frozenset({os.getegid()}))
STRANGER = Account("stranger", 54321, frozenset({54321}))


def test_the_option_wins_over_the_environment(tmp_path: Path) -> None:
    environment = {"FLOCKLORE_STATE_DIR": str(tmp_path / "variable")}
    assert paths.state_directory(str(tmp_path / "option"), environment) == tmp_path / "option"
    assert paths.state_directory(None, environment) == tmp_path / "variable"


def test_a_new_state_directory_is_closed_to_others_unless_root_makes_it(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        made = paths.state_directory(str(tmp_path / "a" / "b"))
    finally:
        os.umask(before)
    expected = 0o755 if os.geteuid() == 0 else 0o700
    assert stat.S_IMODE(made.stat().st_mode) == stat.S_IMODE(made.parent.stat().st_mode) == expected


def test_the_usual_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "ROOT_STATE", tmp_path / "flocklore")
    assert paths.state_directory(None, {}) == tmp_path / "flocklore"


def test_a_state_directory_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="FLOCKLORE_STATE_DIR: cannot make"):
        paths.state_directory(str(tmp_path / "file" / "below"))


def test_a_state_directory_of_another_user_is_refused(scratch: Path) -> None:
    script = """
        import sys
        from shared.embedded.paths import state_directory
        from shared.errors import ConfigurationError
        try:
            state_directory(sys.argv[1])
        except ConfigurationError as error:
            print(error, flush=True)
    """
    theirs = scratch / "state"
    theirs.mkdir(mode=0o555)
    with python(script, theirs, plain_user=True) as process:
        assert line(process) == f"FLOCKLORE_STATE_DIR: {theirs} is another user's; name a directory you may write to"


def test_a_closed_directory_on_the_way_is_named(scratch: Path) -> None:
    scratch.chmod(0o755)
    (scratch / "closed" / "open").mkdir(parents=True)
    (scratch / "closed").chmod(0o700)
    wanted = scratch / "closed" / "open" / "not there yet"
    assert ME.closed_parent(wanted) is None
    assert STRANGER.closed_parent(wanted) == scratch / "closed"
    assert STRANGER.closed_parent(scratch) is None


@pytest.mark.parametrize("mode", [0o701, 0o710])
def test_being_let_in_as_a_group_or_as_anybody(scratch: Path, mode: int) -> None:
    scratch.chmod(mode)
    in_group = Account("colleague", 54321, frozenset({scratch.stat().st_gid}))
    assert (in_group.closed_parent(scratch) is None) == (mode == 0o710)
    assert (STRANGER.closed_parent(scratch) is None) == (mode == 0o701)


def test_a_socket_goes_beside_its_data_as_long_as_its_path_fits() -> None:
    name = ".s.PGSQL.5432"
    fits = Path("/" + "d" * (103 - 1 - 1 - len(name)))
    assert len(str(fits / name)) == 103
    assert socket_directory(fits, name) == fits
    too_long = Path(f"{fits}d")
    assert socket_directory(too_long, name).parent == Path("/tmp")
    assert socket_directory(too_long, name) != socket_directory(Path(f"{too_long}e"), name)
    assert socket_directory(Path("/" + "é" * 50), name).parent == Path("/tmp")  # bytes count, not characters


def test_a_private_directory_may_be_there_already(tmp_path: Path) -> None:
    require_private(tmp_path / "socket", ME)
    require_private(tmp_path / "socket", ME)
    assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == 0o700


def test_a_directory_others_can_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "socket").mkdir()
    (tmp_path / "socket").chmod(0o711)
    with pytest.raises(ConfigurationError, match="is not a private directory"):
        require_private(tmp_path / "socket", ME)


def test_a_link_somebody_put_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "socket").symlink_to(tmp_path / "real")
    with pytest.raises(ConfigurationError, match="is not a private directory"):
        require_private(tmp_path / "socket", ME)


@as_root
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "socket").mkdir(mode=0o700)
    os.chown(tmp_path / "socket", STRANGER.user_id, STRANGER.user_id)
    with pytest.raises(ConfigurationError, match="remove it, or choose a shorter"):
        require_private(tmp_path / "socket", ME)
