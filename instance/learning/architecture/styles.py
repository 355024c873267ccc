"""Architectural styles, each by the signals that speak for it; its confidence is the sum of their weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from instance.learning.architecture.cycles import cycles
from instance.learning.architecture.entries import importing
from instance.learning.architecture.evidence import Evidence
from instance.learning.architecture.graph import Graph
from instance.learning.architecture.manifests import extension_points
from instance.learning.architecture.pattern import ArchitecturePattern, lower_bound, pattern
from instance.learning.architecture.places import parent, parents
from instance.learning.architecture.roles import roles
from instance.learning.architecture.services import Services

CONFIDENCE_MIN: Final = 0.5
"""A style that fewer signals speak for is not named."""
_PARTS_MIN = 3
_FILES_OF_PART_MIN = 3
_INSIDE_MIN = 0.6
_LAYERED = frozenset({"handlers", "controllers", "services", "repositories", "models", "store", "api", "views"})
_HEXAGONAL = frozenset({"ports", "adapters", "domain", "usecases", "infrastructure"})
_BROKERS = {
    "python": "aiokafka confluent_kafka kafka pika aio_pika nats kombu faststream paho",
    "typescript": "kafkajs amqplib nats mqtt @nats-io/transport-node @google-cloud/pubsub",
    "go": "github.com/nats-io/nats.go github.com/segmentio/kafka-go github.com/IBM/sarama github.com/Shopify/sarama"
    " github.com/rabbitmq/amqp091-go github.com/streadway/amqp cloud.google.com/go/pubsub",
    "rust": "rdkafka lapin async_nats rumqttc",
    "java": "org.apache.kafka org.springframework.kafka org.springframework.amqp com.rabbitmq.client io.nats.client"
    " jakarta.jms javax.jms",
    "elixir": "Broadway AMQP Gnat KafkaEx Phoenix.PubSub Commanded",
}
_PLUGIN_LOADERS = {"python": "importlib.metadata.entry_points pluggy stevedore", "java": "java.util.ServiceLoader"}


class Signal(NamedTuple):
    """One reason to name a style: how much it weighs, and how many files show it (0: it is absent)."""

    weight: float
    evidence: int


@dataclass(frozen=True)
class _Facts:
    evidence: Evidence
    services: Services
    entries: Mapping[str, list[str]]
    roles: Mapping[str, int]
    images: int
    manifests: int


def style_patterns(
    evidence: Evidence, services: Services, entries: Mapping[str, list[str]]
) -> Iterator[ArchitecturePattern]:
    """Yield the styles that enough speaks for."""
    images, manifests = _image_folders(evidence), _manifest_folders(evidence)
    facts = _Facts(evidence, services, entries, roles(evidence.paths), images, manifests)
    for name, signals, text in (
        ("style.layered", _layered(facts), "layers by role: the outside, the services, the store"),
        ("style.hexagonal", _hexagonal(facts), "ports and adapters around a domain"),
        ("style.cqrs", _cqrs(facts), "commands apart from queries"),
        ("style.components", _components(facts), "a user interface of components"),
        ("style.event-driven", _event_driven(facts), "parts that talk by messages through a broker"),
        ("style.microservices", _microservices(facts), "several services, each built and deployed by itself"),
        ("style.plugins", _plugins(facts), "plugins are found at run time"),
    ):
        confidence = sum(signal.weight for signal in signals if signal.evidence)
        if confidence >= CONFIDENCE_MIN:
            yield pattern(name, max(signal.evidence for signal in signals), text, confidence=min(1.0, confidence))
    yield from _modular(facts)


def _layered(facts: _Facts) -> list[Signal]:
    present = _LAYERED & facts.roles.keys()
    files = sum(facts.roles[role] for role in present) if len(present) >= _PARTS_MIN else 0
    kept = sum(layers.count(*layers.order) for layers in facts.evidence.layerings.values() if layers.is_respected)
    blurred = any(layers.is_clear and not layers.is_respected for layers in facts.evidence.layerings.values())
    return [Signal(0.25 if blurred else 0.6, files), Signal(0.4, kept)]


def _hexagonal(facts: _Facts) -> list[Signal]:
    present = _HEXAGONAL & facts.roles.keys()
    both = "domain" in present or {"ports", "adapters"} <= present
    files = sum(facts.roles[role] for role in present) if both and len(present) > 1 else 0
    inwards = outwards = 0
    for layers in facts.evidence.layerings.values():
        for (above, below), count in layers.between.items():
            inwards += count * (below == "domain" and above in _HEXAGONAL)
            outwards += count * (above == "domain" and below in _HEXAGONAL - {"ports"})
    return [Signal(0.4, files), Signal(0.6, 0 if outwards else inwards)]


def _cqrs(facts: _Facts) -> list[Signal]:
    apart = min(facts.roles.get("commands", 0), facts.roles.get("queries", 0))
    return [Signal(0.7, apart), Signal(0.3, facts.roles.get("events", 0) if apart else 0)]


def _components(facts: _Facts) -> list[Signal]:
    present = frozenset({"components", "hooks", "pages"}) & facts.roles.keys()
    views = sum(path.endswith((".tsx", ".jsx", ".vue", ".svelte")) for path in facts.evidence.paths)
    many = sum(facts.roles[role] for role in present) if len(present) > 1 else 0
    return [Signal(0.4, many), Signal(0.6, views if many else 0)]


def _event_driven(facts: _Facts) -> list[Signal]:
    users = _importing(facts.evidence, _BROKERS)
    brokers = sum(facts.services.known[name] for name in ("kafka", "nats", "rabbitmq", "mqtt"))
    handlers = sum(facts.roles.get(role, 0) for role in ("events", "consumers"))
    return [Signal(0.5, users if users > 1 else 0), Signal(0.25, brokers), Signal(0.25, handlers)]


def _microservices(facts: _Facts) -> list[Signal]:
    workloads = facts.services.workloads.total()
    return [
        Signal(0.5, _many(facts.images)),
        Signal(0.25, _many(facts.services.built)),
        Signal(0.25, _many(workloads)),
        Signal(0.25, _many(facts.manifests)),
    ]


def _plugins(facts: _Facts) -> list[Signal]:
    registered = len(list(extension_points(facts.evidence.documents)))
    loading = _importing(facts.evidence, _PLUGIN_LOADERS)
    return [Signal(0.5, registered), Signal(0.5, loading), Signal(0.25, facts.roles.get("plugins", 0))]


def _modular(facts: _Facts) -> Iterator[ArchitecturePattern]:
    """Yield a modular monolith: several parts in one deployment that keep most dependencies inside, without cycles."""
    if not _is_one_deployment(facts):
        return
    for graph in facts.evidence.graphs.values():
        parts = _parts(graph)
        pairs = [
            (parts[node], parts[to])
            for node, targets in graph.edges.items()
            for to in targets
            if node in parts and to in parts
        ]
        inside = sum(one == other for one, other in pairs)
        between: dict[str, set[str]] = {part: set() for part in parts.values()}
        for one, other in pairs:
            between[one].add(other)
        bound = lower_bound(inside, len(pairs))
        if len(between) > _PARTS_MIN and graph.is_whole and bound >= _INSIDE_MIN and not cycles(between):
            text = "one deployment of several modules that keep to themselves"
            yield pattern("style.modular-monolith", len(parts), text, language=graph.language, confidence=bound)


def _is_one_deployment(facts: _Facts) -> bool:
    """Tell whether one image is built, or programs and no library."""
    if facts.images > 1 or _many(facts.manifests):
        return False
    started = facts.entries.keys() & {"entry.executable", "entry.module-main", "entry.http", "entry.worker"}
    return facts.images == 1 or (bool(started) and "entry.library" not in facts.entries)


def _parts(graph: Graph) -> dict[str, str]:
    """Return for each module the part it lies in: a directory below the one that holds the most of them."""
    children: dict[str, dict[str, int]] = {}
    for paths in graph.files.values():
        inner = parent(paths[0])
        for outer in parents(inner) if inner else ():
            children.setdefault(outer, {}).setdefault(inner, 0)
            children[outer][inner] += 1
            inner = outer
    if not children:
        return {}
    big = {
        outer: {inner for inner, count in inners.items() if count >= _FILES_OF_PART_MIN}
        for outer, inners in children.items()
    }
    holder = max(sorted(big), key=lambda outer: len(big[outer]))
    found = {}
    for node, paths in graph.files.items():
        part = next((directory for directory in parents(paths[0]) if directory in big[holder]), None)
        if part is not None:
            found[node] = part
    return found


def _importing(evidence: Evidence, modules: Mapping[str, str]) -> int:
    return sum(len(importing(evidence, language, names.split())) for language, names in modules.items())


def _many(count: int) -> int:
    return count if count >= _PARTS_MIN else 0


def _image_folders(evidence: Evidence) -> int:
    names = ("Dockerfile", "Containerfile")
    return len({parent(path) for path in evidence.paths if path.rpartition("/")[2].partition(".")[0] in names})


def _manifest_folders(evidence: Evidence) -> int:
    names = frozenset({"package.json", "pyproject.toml", "go.mod", "Cargo.toml", "mix.exs", "pom.xml"})
    return len({parent(path) for path in evidence.paths if path.rpartition("/")[2] in names})
