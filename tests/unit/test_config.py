from __future__ import annotations

from pathlib import Path

import pytest

from centralcloud.config import CentralcloudSettings
from instance.config import InstanceSettings
from shared.config import Resolved, Settings, masked, passwords, resolve
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
    assert masked("database_url", "postgresql://me:a,b@c@one:1,two:2/x") == "postgresql://me:***@one:1,two:2/x"
    assert masked("database_read_url", "postgresql://h/x?user=me&password=p&a=b").endswith("?user=me&password=***&a=b")
    assert masked("instance_id", None) == ""


def test_the_passwords_of_addresses_are_known_as_they_are_written() -> None:
    assert passwords("postgresql://me:a,b%21@one:1,two:2/x?password=c") == ["a,b%21", "c"]
    assert passwords("nats://u:p@a:4222,nats://b:4222,nats://v:q@c") == ["p", "q"]
    assert passwords("postgresql://me@db:5432/x") == passwords("nats://a:4222,nats://b") == []


def test_every_field_is_shown() -> None:
    shown = {key for key, _, _ in settings().shown()}
    assert shown == set(InstanceSettings.__struct_fields__)
    assert set(Settings.__struct_fields__) <= shown


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    url, token = tmp_path / "database.url", tmp_path / "http.token"
    url.write_text("postgresql://me:secret@db/x\n")
    token.write_text("a long random word\r\n")
    resolved = settings({"DATABASE_URL_FILE": str(url), "FLOCKLORE_HTTP_TOKEN_FILE": str(token), "NATS_URL_FILE": ""})
    assert resolved.settings.database_url == "postgresql://me:secret@db/x"
    assert resolved.settings.http_token == "a long random word"
    shown = {key: (value, origin) for key, value, origin in resolved.shown()}
    assert shown["database_url"] == ("postgresql://me:***@db/x", str(url))
    assert shown["http_token"] == ("***", str(token))
    assert resolved.settings.isolated


def test_the_file_of_a_secret_comes_before_the_settings_file_and_after_a_flag(tmp_path: Path, file: Path) -> None:
    secret = tmp_path / "database.url"
    secret.write_text("postgresql://of-the-secret/x")
    file.write_text('database_url = "postgresql://of-the-file/x"\n')
    environment = {"DATABASE_URL_FILE": str(secret)}
    assert settings(environment, file=file).settings.database_url == "postgresql://of-the-secret/x"
    flagged = settings(environment, {"database_url": "postgresql://of-the-flag/x"}, file)
    assert flagged.settings.database_url == "postgresql://of-the-flag/x"


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        (None, {}, "DATABASE_URL_FILE: cannot read .*check the path"),
        (b" \n", {}, "DATABASE_URL_FILE: .* is empty"),
        (b"\xff\xfe", {}, "it is no text"),
        (b"postgresql://x/y", {"DATABASE_URL": "postgresql://a/b"}, "database_url: .*both"),
        (b"postgresql://x/y", {"FLOCKLORE_DATABASE_URL": "postgresql://a/b"}, "database_url: .*both"),
    ],
)
def test_a_file_that_cannot_be_what_was_meant_is_refused(
    tmp_path: Path, content: bytes | None, more: dict[str, str], said: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        settings({"DATABASE_URL_FILE": str(path), **more})


def test_only_what_is_secret_is_read_from_a_file(tmp_path: Path) -> None:
    """A path of credentials is no secret: read as one, what is in them would be told in an error."""
    path = tmp_path / "some.creds"
    path.write_text("somebody")
    found = settings({"FLOCKLORE_NATS_CREDENTIALS_FILE": str(path), "INSTANCE_ID_FILE": str(path)}).settings
    assert (found.nats_credentials, found.instance_id) == (None, None)
    assert settings({"FLOCKLORE_READY_FILE": str(path)}).settings.ready_file == str(path)
