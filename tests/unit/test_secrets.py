from __future__ import annotations

import pytest

from instance.analysis.secrets import find_secrets


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("aws_access_key_id = AKIA" + "IOSFODNN7EXAMPLE", "aws_access_key"),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "private_key"),
        ("-----BEGIN " + "PRIVATE KEY-----", "private_key"),
        ("token: ghp_" + "a1B2" * 9, "github_token"),
        ("glpat-" + "x" * 20, "gitlab_token"),
        ("xoxb-" + "123456789012-abcdef", "slack_token"),
        ("npm_" + "a" * 36, "npm_token"),
        ("AIza" + "b" * 35, "google_api_key"),
        ("sk_live_" + "c" * 24, "stripe_key"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx." + "SflKxwRJSM", "jwt"),
        ("postgresql://app:hunter22@db/app", "url_password"),
        ("SUA" + "CD" * 27 + "A", "nats_seed"),
        ("key = 'q9ZrT4vXb1Lk8WsYc3NdE7fGh2Jm5PoA'", "high_entropy"),
        ("digest=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c", "high_entropy"),
    ],
)
def test_a_secret_is_found(text: str, kind: str) -> None:
    assert kind in find_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        'with open ( $1 , "rb" ) as $2 : {…}',
        "postgresql://localhost/app",
        "https://user@example.org/path",
        "scheme://{user}:{password}@host",
        "from sqlalchemy.ext.asyncio import create_async_engine_from_configuration_url",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1",
        "test_the_quick_brown_fox_jumps_over_the_lazy_dog_2",
        "00000000-0000-0000-0000-000000000000",
        "-----BEGIN CERTIFICATE-----",
        "AKIA is a prefix",
    ],
)
def test_ordinary_text_holds_no_secret(text: str) -> None:
    assert find_secrets(text) == []
