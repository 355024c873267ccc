"""What runs beside the code: services composed from well-known images, images of its own, workloads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from instance.learning.architecture.documents import is_compose, is_deployment
from instance.learning.architecture.pattern import ArchitecturePattern, coarse, pattern

_IMAGES = {
    "postgres": "postgres postgresql timescaledb pgvector postgis", "mysql": "mysql mariadb percona",
    "redis": "redis valkey keydb dragonfly redis-stack", "nats": "nats nats-streaming nats-box",
    "kafka": "kafka cp-kafka redpanda", "rabbitmq": "rabbitmq", "mongodb": "mongo mongodb",
    "elasticsearch": "elasticsearch opensearch", "memcached": "memcached", "cassandra": "cassandra scylla",
    "clickhouse": "clickhouse clickhouse-server", "object-store": "minio localstack azurite seaweedfs",
    "proxy": "nginx traefik caddy haproxy envoy", "metrics": "prometheus victoria-metrics influxdb",
    "dashboards": "grafana kibana opensearch-dashboards",
    "tracing": "jaeger all-in-one zipkin tempo opentelemetry-collector opentelemetry-collector-contrib",
    "identity": "keycloak dex hydra kratos", "secrets": "vault", "coordination": "zookeeper cp-zookeeper etcd consul",
    "mail": "mailhog mailpit maildev", "workflows": "temporal auto-setup airflow prefect",
    "vector-store": "qdrant weaviate milvus chroma", "graph-store": "neo4j memgraph", "mqtt": "mosquitto emqx",
    "sqlserver": "server mssql", "search": "meilisearch typesense solr",
}  # fmt: skip
_SERVICE_OF = {image: service for service, images in _IMAGES.items() for image in images.split()}
_IMAGE = re.compile(r"^\s*(?:-\s+)?image:\s*[\"']?([^\s\"'#]+)", re.MULTILINE)
_BUILD = re.compile(r"^\s+build:", re.MULTILINE)
_WORKLOAD = re.compile(r"^kind:\s*[\"']?(Deployment|StatefulSet|DaemonSet|Job|CronJob)\b", re.MULTILINE)
_DEFAULT = re.compile(r"\$\{[^}:]*:-([^}]*)\}")


@dataclass
class Services:
    """Well-known services by the number of files that run them, own images composed, workloads by kind."""

    known: Counter[str] = field(default_factory=Counter)
    built: int = 0
    workloads: Counter[str] = field(default_factory=Counter)


def services(documents: Mapping[str, str]) -> Services:
    """Read compose files and Kubernetes manifests, line by line: templates that are no YAML yet are read, too."""
    found = Services()
    for path, text in documents.items():
        if is_compose(path):
            found.built += len(_BUILD.findall(text))
        elif is_deployment(path):
            found.workloads.update(_WORKLOAD.findall(text))
        else:
            continue
        images = {_SERVICE_OF.get(_name(image), "") for image in _IMAGE.findall(text)}
        found.known.update(images - {""})
    return found


def service_patterns(found: Services) -> Iterator[ArchitecturePattern]:
    """Yield each well-known service, what is composed, and what is deployed."""
    for service, files in found.known.items():
        yield pattern(f"service.{service}", files, f"runs with {service}")
    if found.known or found.built:
        measures = {"known": coarse(len(found.known)), "built": coarse(found.built)}
        yield pattern("service.composed", len(found.known) + found.built, "runs with others", measures=measures)
    if found.workloads:
        measures = {kind.lower(): coarse(count) for kind, count in found.workloads.items()}
        yield pattern("deploy.workloads", found.workloads.total(), "workloads of Kubernetes", measures=measures)


def _name(image: str) -> str:
    """Return an image's own name: no host, no organisation, no tag."""
    plain = _DEFAULT.sub(lambda match: match[1], image)
    return re.split(r"[:@$]", plain.rpartition("/")[2])[0].lower()
