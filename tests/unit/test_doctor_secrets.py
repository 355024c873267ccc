from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from mesh.health.production import secrets
from shared.config import Settings


def test_a_secret_that_was_mounted_for_a_container_is_none_it_can_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "nats.creds"
    credentials.touch()
    credentials.chmod(0o444)
    settings = Settings(nats_credentials=str(credentials))
    assert [finding.level for finding in secrets(settings)] == ["error"]

    def mounted(_path: Path) -> SimpleNamespace:
        return SimpleNamespace(f_flag=os.ST_RDONLY | os.ST_NOSUID)

    monkeypatch.setattr(os, "statvfs", mounted)
    assert [finding.level for finding in secrets(settings)] == ["ok"]
