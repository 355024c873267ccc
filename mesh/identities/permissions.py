"""What each identity may publish and hear, read from the table of channels. Pure.

Subjects are named exactly wherever they can be: a wildcard would let a token through that is no name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple, get_args

from schemas import subjects
from schemas.channels import CHANNELS, Channel, Party
from schemas.events import AnyEvent
from schemas.names import is_name
from schemas.subjects import Sender, Topic, inbox_prefix
from shared.errors import UsageError
from shared.passport import HUB

Kind = Literal["instance", "delegate", "read_only", "observer", "centralcloud"]

_HEARS: Final[dict[Kind, frozenset[Party]]] = {
    "instance": frozenset({"instance"}),
    "delegate": frozenset({"instance", "delegate"}),
    "read_only": frozenset({"instance"}),
    "observer": frozenset({"subscriber"}),
    "centralcloud": frozenset({"centralcloud"}),
}

_JETSTREAM: Final = (
    "$JS.API.INFO",
    "$JS.API.STREAM.LIST",
    *(f"$JS.API.STREAM.{verb}.{subjects.STREAM}" for verb in ("INFO", "CREATE", "UPDATE", "MSG.GET")),
    f"$JS.API.CONSUMER.LIST.{subjects.STREAM}",
    *(f"$JS.API.CONSUMER.{verb}.{subjects.STREAM}.*" for verb in ("INFO", "CREATE", "DELETE")),
    f"$JS.API.CONSUMER.DURABLE.CREATE.{subjects.STREAM}.*",
    f"$JS.API.CONSUMER.MSG.NEXT.{subjects.STREAM}.*",
    f"$JS.ACK.{subjects.STREAM}.>",
)
"""What centralcloud asks of JetStream: nothing deletes or empties the stream, or touches another one."""

_HEALTH: Final = ("$SRV.>",)
"""Where NATS services are asked how they are."""


class Identity(NamedTuple):
    """Somebody NATS knows. Of centralcloud the tenant is `HUB`: it serves all of them."""

    tenant: str
    name: str
    kind: Kind

    @property
    def label(self) -> str:
        """As people say it and files are named: no name holds a dot."""
        return f"{self.tenant}.{self.name}"


class Permissions(NamedTuple):
    """Subjects one may publish on, and subjects one may hear."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def identity(tenant: str, name: str, kind: Kind) -> Identity:
    """Make one of valid names; UsageError otherwise: somebody called `*` could speak as anybody."""
    for what, text in (("tenant", tenant), ("name", name)):
        if not is_name(text):
            raise UsageError(
                f"{text!r} cannot be a {what}: use 1 to 63 of a-z, 0-9, - and _, the first a letter or a digit"
            )
    if (tenant == HUB) != (kind == "centralcloud"):
        raise UsageError(f"the tenant {HUB!r} is centralcloud's own; choose another name")
    return Identity(tenant, name, kind)


def permissions(one: Identity) -> Permissions:
    """What the server is to allow; whatever is not here it refuses."""
    publish = [subject for channel in CHANNELS if _speaks(one, channel) for subject in _spoken(one, channel)]
    hear = [_heard(one, channel) for channel in CHANNELS if _HEARS[one.kind] & set(channel.listeners)]
    if one.kind == "read_only":
        hear = [subject for subject in hear if not subject.endswith(f".{one.tenant}.{one.name}")]
    if one.kind == "centralcloud":
        # It answers into everybody's inbox, takes the answers of JetStream in its own, and hands on what was posted.
        spoken = _sorted(publish, _posted(), _JETSTREAM, ["_INBOX.>"])
        return Permissions(spoken, _sorted(hear, _HEALTH, [f"_INBOX.{HUB}.>"]))
    inbox = [f"{inbox_prefix(Sender(one.tenant, one.name))}.>"]
    # An instance answers programs that ask it with its own credentials, and nobody else.
    beside = {"instance": inbox, "delegate": inbox, "observer": _HEALTH}.get(one.kind, [])
    return Permissions(_sorted(publish, beside), _sorted(hear, inbox))


def topics() -> list[Topic]:
    """Everything an instance may learn about."""
    return sorted({kind.topic for kind in get_args(AnyEvent) if hasattr(kind, "topic")})


def _speaks(one: Identity, channel: Channel) -> bool:
    match one.kind:
        case "observer":
            return False
        case "read_only":
            return channel.publisher == "instance" and "{instance}" not in channel.address
        case "delegate":
            return channel.publisher in {"instance", "delegate"}
        case _:
            return channel.publisher == one.kind


def _spoken(one: Identity, channel: Channel) -> Iterator[str]:
    if one.kind == "centralcloud":
        yield channel.wildcard
        return
    address = _named(one, channel.address)
    if "{domain}" not in address:
        yield address
        return
    for topic in topics():
        yield address.replace("{domain}", topic.domain).replace("{kind}", topic.kind)


def _posted() -> Iterator[str]:
    """Where centralcloud says for its instances what was posted over HTTP with their tokens."""
    for topic in topics():
        yield f"intelligence.{topic.domain}.{topic.kind}.learned.*.*"


def _heard(one: Identity, channel: Channel) -> str:
    if one.kind == "centralcloud":
        return channel.wildcard
    return channel._replace(address=_named(one, channel.address)).wildcard


def _named(one: Identity, address: str) -> str:
    return address.replace("{tenant}", one.tenant).replace("{instance}", one.name)


def _sorted(*groups: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({subject for group in groups for subject in group}))
