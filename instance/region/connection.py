"""The connection of a delegate to its region's NATS, beside the one to the hub above."""

from __future__ import annotations

from msgspec import structs

from instance.config import InstanceSettings
from schemas.subjects import Sender, inbox_prefix
from shared.bus import Bus
from shared.errors import ConfigurationError
from shared.metrics import Metrics
from shared.passport import Passport, passport_of


def region_bus(settings: InstanceSettings, sender: Sender, metrics: Metrics) -> Bus:
    """The connection to the region's NATS; `ConfigurationError` names the setting that is wrong or missing."""
    if not settings.region:
        raise ConfigurationError("region: not set; region_nats_url makes this the delegate of a region, say of which")
    if settings.isolated:
        raise ConfigurationError("region_nats_url: a delegate needs a hub above the region; set NATS_URL as well")
    return Bus(
        _regional(settings).nats_servers,
        client_name=f"{sender.instance} delegate",
        inbox_prefix=inbox_prefix(sender),
        passport=_passport(settings),
        metrics=metrics,
    )


def _regional(settings: InstanceSettings) -> InstanceSettings:
    """The same settings with the connection to the region's NATS in the place of that to the one above."""
    return structs.replace(
        settings,
        nats_url=settings.region_nats_url,
        nats_credentials=settings.region_nats_credentials,
        nats_tls_ca=settings.region_nats_tls_ca,
        nats_tls_cert=settings.region_nats_tls_cert,
        nats_tls_key=settings.region_nats_tls_key,
    )


def _passport(settings: InstanceSettings) -> Passport:
    try:
        return passport_of(_regional(settings))
    except ConfigurationError as error:
        raise ConfigurationError(f"region_{error}") from error
