"""Which files beside the source code tell about the architecture: manifests, build settings, deployments."""

from __future__ import annotations

import re

_WANTED = re.compile(
    r"(?:^|/)(?:pyproject\.toml|setup\.(?:py|cfg)|go\.mod|package\.json|[jt]sconfig[^/]*\.json|Cargo\.toml|mix\.exs"
    r"|pnpm-workspace\.yaml|META-INF/services/[^/]+)$"
)
_COMPOSE = re.compile(r"(?:^|/)(?:docker-)?compose(?:\.[^/]+)?\.ya?ml$")
_DEPLOYMENT = re.compile(r"(?:^|/)(?:k8s|kubernetes|kustomize|manifests|deploy(?:ment)?s?|charts?|helm)/.+\.ya?ml$")
DOCUMENTS_MAX = 2_000
"""Documents read of one repository; the rest, in path order, is left out."""


def is_wanted(path: str) -> bool:
    """Tell whether the study of the architecture reads a file's text."""
    return bool(_WANTED.search(path)) or is_compose(path) or is_deployment(path)


def is_compose(path: str) -> bool:
    """Tell whether a file composes services for one machine."""
    return _COMPOSE.search(path) is not None


def is_deployment(path: str) -> bool:
    """Tell whether a file may describe workloads of Kubernetes."""
    return _DEPLOYMENT.search(path) is not None
