from __future__ import annotations

from pathlib import Path

import pytest

from centralcloud.config import CentralcloudSettings
from instance.config import InstanceSettings
from shared.config import Resolved, Settings, masked, resolve
from shared.errors import ConfigurationError, Exit


def settings(
    environment: dict[str, str] | None = None, flags: dict[str, str] | None = None, file: Path | None = None
) -> Resolved[InstanceSettings]:
    return resolve(InstanceSettings, "instance", environment=environment or {}, flags=flags, file=file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "flocklore.toml"
    path.write_text(
        'nats_host = "file.example"\nnats_port = 4300\n'
        '[instance]\ninstance_id = "from-file"\n[centralcloud]\nstream_replicas = 3\n'
    )
    return path


def test_each_layer_wins_over_the_one_before_and_says_where_a_value_came_from(file: Path) -> None:
    resolved = settings({"NATS_PORT": "4400", "INSTANCE_ID": "from-env"}, {"instance_id": "from-flag"}, file)
    assert (resolved.settings.nats_host, resolved.settings.nats_port) == ("file.example", 4400)
    assert resolved.settings.instance_id == "from-flag"
    assert resolved.origins["nats_host"] == str(file)
    assert resolved.origins["nats_port"] == "environment"
    assert resolved.origins["instance_id"] == "flag"
    assert resolved.origins["role"] == "default"


def test_a_section_is_for_one_daemon(file: Path) -> None:
    central = resolve(CentralcloudSettings, "centralcloud", environment={}, file=file)
    assert central.settings.stream_replicas == 3
    assert central.settings.nats_servers == ["nats://file.example:4300"]


def test_the_environment_names_of_the_first_documents_work_as_they_are() -> None:
    found = settings(
        {
            "NATS_HOST": "nats.company.com",
            "NATS_PORT": "4222",
            "DATABASE_URL": "postgresql://db/x",
            "INSTANCE_ID": "ci-runner-1",
        }
    ).settings
    assert found.nats_servers == ["nats://nats.company.com:4222"]
    assert (found.database_url, found.instance_id) == ("postgresql://db/x", "ci-runner-1")


def test_several_servers_and_none() -> None:
    assert settings({"NATS_URL": "nats://a:1, nats://b:2"}).settings.nats_servers == ["nats://a:1", "nats://b:2"]
    assert settings().settings.isolated


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ({"NATS_PORT": "99999"}, "nats_port"),
        ({"INSTANCE_ID": "*"}, "instance_id"),
        ({"INSTANCE_ID": "a.b"}, "instance_id"),
        ({"FLOCKLORE_LOG_LEVEL": "loud"}, "log_level"),
        ({"FLOCKLORE_HEARTBEAT_SECONDS": "0"}, "heartbeat_seconds"),
    ],
)
def test_a_wrong_value_names_its_key_and_where_it_came_from(environment: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{key}.*environment") as caught:
        settings(environment)
    assert caught.value.exit_code is Exit.CONFIGURATION


def test_an_unknown_key_in_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flocklore.toml"
    path.write_text('[instance]\ninstanceid = "x"\n')
    with pytest.raises(ConfigurationError, match="instanceid"):
        settings(file=path)


def test_a_broken_or_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="check the path"):
        settings(file=tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("a = = 1")
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        settings(file=broken)


def test_an_empty_variable_counts_as_not_set() -> None:
    assert settings({"NATS_URL": "", "INSTANCE_ID": ""}).settings.isolated


def test_secrets_are_masked() -> None:
    assert masked("database_url", "postgresql://me:secret@db:5432/x") == "postgresql://me:***@db:5432/x"
    assert masked("nats_url", "nats://u:p@a:4222,nats://b:4222") == "nats://u:***@a:4222,nats://b:4222"
    assert masked("instance_id", None) == ""


def test_every_field_is_shown() -> None:
    shown = {key for key, _, _ in settings().shown()}
    assert shown == set(InstanceSettings.__struct_fields__)
    assert set(Settings.__struct_fields__) <= shown
